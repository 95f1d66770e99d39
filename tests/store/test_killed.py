"""Every state of recorder and outbox, and what must be left when the process is killed in it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.store.journal import Journal
from tests.store.samples import summarised

PROGRAM = """
import os, signal, sys
from pathlib import Path
from edge_agent.store import outbox, sessions
from edge_agent.store.journal import Journal
from tests.store.samples import summarised
from tests.store.samples import new_session, second

def begin(): journal._db.execute("BEGIN IMMEDIATE")
def die(): os.kill(os.getpid(), signal.SIGKILL)

journal = Journal(Path(sys.argv[1]))
"""

OPEN = "session = journal.open_session(new_session(), [second(0)]);"
CLOSE = "journal.close_session(session, interrupted=False, enqueue=True);"

# State: steps to it; seconds, open sessions and waiting messages that are left.
KILLED_IN = {
    "nothing_recorded": ("die()", (0, 0, 0)),
    "first_second_being_written": (
        "begin(); sessions.insert_session(journal._db, 1, new_session(), historical=False); die()",
        (0, 0, 0),
    ),
    "session_open": (OPEN + "die()", (1, 1, 0)),
    "later_seconds_being_written": (
        OPEN + "begin(); sessions.insert_seconds(journal._db, sessions.rows_of(session, [second(1)])); die()",
        (1, 1, 0),
    ),
    "later_seconds_accepted": (OPEN + "journal.accept(session, [second(1), second(2)]); die()", (3, 1, 0)),
    "summary_being_stored": (
        OPEN + "begin(); sessions.close_session(journal._db, session, interrupted=False); die()",
        (1, 1, 0),
    ),
    "summary_being_queued": (
        OPEN
        + "begin(); sessions.close_session(journal._db, session, interrupted=False);"
        + "outbox.queue_summary(journal._db, session); die()",
        (1, 1, 0),
    ),
    "summary_queued": (OPEN + CLOSE + "die()", (1, 0, 1)),
    "acknowledged_message_being_deleted": (
        OPEN + CLOSE + "begin(); outbox.acknowledge(journal._db, journal.outbox()[0].id); die()",
        (1, 0, 1),
    ),
    "acknowledged_message_deleted": (OPEN + CLOSE + "journal.acknowledge(journal.outbox()[0].id); die()", (1, 0, 0)),
}


@pytest.mark.parametrize("state", KILLED_IN)
def test_killed_in(state: str, tmp_path: Path) -> None:
    steps, (seconds, open_sessions, outbox) = KILLED_IN[state]
    killed = subprocess.run([sys.executable, "-c", PROGRAM + steps, tmp_path], check=False)
    assert killed.returncode == -signal.SIGKILL

    with Journal(tmp_path) as journal:
        sessions = journal.open_sessions()
        assert (len(journal.seconds(1)), len(sessions), len(journal.outbox())) == (seconds, open_sessions, outbox)
        for session in sessions:
            assert summarised(journal, session, interrupted=True).interrupted
        assert len(journal.outbox()) == outbox + open_sessions
