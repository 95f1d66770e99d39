"""What the journal goes through in its life, as programs that can be cut off anywhere.

Each workload is a generator: it names the state it has reached whenever what it did is to survive anything. Run as
`python -m tests.store.workloads NAME DIR`, it prints these names; `dump` says what is in a journal then.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from edge_agent.store.backup import back_up, restore
from edge_agent.store.database import FILE_NAME
from edge_agent.store.journal import Journal
from edge_agent.store.messages import Event
from edge_agent.store.retention import Retention
from edge_agent.store.sessions import NewSession, SinceBoot
from tests.store import obedience
from tests.store.samples import STARTED_AT, second

Dump = dict[str, list[tuple[object, ...]]]


@dataclass(frozen=True, slots=True)
class Workload:
    """One of them.

    Attributes:
        prepare: makes what is on the disk before.
        run: goes through the states.
        consistent: starts the agent again, and says whether all that it said is true; None where what the journal
            holds says it all.
    """

    prepare: Callable[[Path], object]
    run: Callable[[Path], Iterator[str]]
    consistent: Callable[[Path], bool] | None = None


def session(number: int, athlete: str = "ada", *, time_trusted: bool = True) -> NewSession:
    return NewSession(
        uuid.UUID(int=number),
        athlete,
        STARTED_AT,
        time_trusted=time_trusted,
        model_version="0.1.0",
        boot=SinceBoot("boot", 100.0 * number),
    )


def often_checkpointing(directory: Path) -> Journal:
    """A journal that copies its log to the database every few commits, so that a short workload sees it all."""
    journal = Journal(directory)
    journal._db.execute("PRAGMA wal_autocheckpoint=12")  # noqa: SLF001
    return journal


def record(directory: Path) -> Iterator[str]:
    """Two runs of the agent: three sessions, their messages, the time that becomes known, an acknowledgement."""
    with often_checkpointing(directory) as journal:
        yield "journal made"
        first = journal.open_session(session(1, time_trusted=False), [second(0)])
        yield "session open"
        for t_s in range(1, 25):
            journal.accept(first, [second(t_s)])
            yield "seconds accepted"
        journal.close_session(first, interrupted=False, enqueue=True)
        yield "summary queued"
        journal.queue_event(Event(2, "event", 1, "ada", None, None, "", time_trusted=True, name="lap", detail={}))
        yield "event queued"
        journal.date_sessions(STARTED_AT + timedelta(days=1000), SinceBoot("boot", 1000.0))
        yield "session dated, new revision queued"
        second_one = journal.open_session(session(2, "grace"), [second(0)])
        yield "session open"
        for t_s in range(1, 13):
            journal.accept(second_one, [second(2 * t_s), second(2 * t_s + 1)])
            yield "seconds accepted"
        for _ in range(2):
            journal.acknowledge(journal.outbox()[0].id)
            yield "acknowledged message deleted"
    with often_checkpointing(directory) as journal:
        yield "agent started again"
        journal.close_session(second_one, interrupted=True, enqueue=True)
        yield "interrupted session closed"
        third = journal.open_session(session(3), [second(0)])
        yield "session open"
        for t_s in range(1, 13):
            journal.accept(third, [second(t_s)])
            yield "seconds accepted"
        journal.close_session(third, interrupted=False, enqueue=False)
        yield "summary stored, not for the broker"


def _recorded(directory: Path, sent: int = 2) -> None:
    """Four sessions of two athletes, of which the broker has the first ones."""
    with Journal(directory) as journal:
        for number in range(1, 5):
            row = journal.open_session(session(number, "ada" if number % 2 else "grace"), [second(0)])
            journal.accept(row, [second(t_s) for t_s in range(1, 40)])
            journal.close_session(row, interrupted=False, enqueue=True)
        for _ in range(sent):
            journal.acknowledge(journal.outbox()[0].id)


def _damaged(directory: Path) -> None:
    _recorded(directory)
    with closing(sqlite3.connect(directory / FILE_NAME)) as db:
        db.execute("CREATE VIRTUAL TABLE temp.stat USING dbstat(main)")
        leaves = db.execute("SELECT pageno FROM temp.stat WHERE name = 'second' AND pagetype = 'leaf'").fetchall()
        (page_size,) = db.execute("PRAGMA page_size").fetchone()
    with (directory / FILE_NAME).open("r+b") as file:
        file.seek((leaves[len(leaves) // 2][0] - 1) * page_size)
        file.write(b"\xff" * page_size)


def _backed_up(directory: Path) -> None:
    _recorded(directory)
    back_up(directory, directory / "backup")
    with Journal(directory) as journal:
        journal.accept(journal.open_session(session(9), [second(0)]), [second(1)])


def recover(directory: Path) -> Iterator[str]:
    """The start on a damaged journal."""
    with Journal(directory) as journal:
        yield "damaged journal replaced"
        row = journal.open_session(session(9), [second(0)])
        yield "session open"
        journal.accept(row, [second(1)])
        yield "seconds accepted"


def forget(directory: Path) -> Iterator[str]:
    """An athlete is forgotten."""
    with Journal(directory) as journal:
        journal.forget_athlete("ada", STARTED_AT, time_trusted=True)
        yield "athlete forgotten"
        row = journal.open_session(session(9, "grace"), [second(0)])
        yield "session open"
        journal.close_session(row, interrupted=False, enqueue=True)
        yield "summary queued"


def retire(directory: Path) -> Iterator[str]:
    """A sent session is deleted for its age."""
    with often_checkpointing(directory) as journal:
        while not journal.retire(Retention(keep_days=90), STARTED_AT + timedelta(days=99)):
            pass
        yield "sent session deleted"
        journal.open_session(session(9), [second(0)])
        yield "session open"


def put_back(directory: Path) -> Iterator[str]:
    """A backup takes the place of a journal with other sessions."""
    restore(directory / "backup", directory)
    yield "backup restored"
    with Journal(directory) as journal:
        row = journal.open_session(session(8), [second(0)])
        yield "session open"
        journal.accept(row, [second(1)])
        yield "seconds accepted"


def _nothing(directory: Path) -> None:
    directory.mkdir(exist_ok=True)


WORKLOADS = {
    "record": Workload(_nothing, record),
    "recover": Workload(_damaged, recover),
    "forget": Workload(_recorded, forget),
    "retire": Workload(lambda directory: _recorded(directory, sent=1), retire),
    "restore": Workload(_backed_up, put_back),
    "obey": Workload(obedience.prepare, obedience.obey, obedience.consistent),
}


def dump(directory: Path) -> Dump:
    """All that a journal has to keep, read with SQLite alone."""
    queries = {
        "session": "SELECT id, uuid, athlete, started_at, time_trusted, historical, revision, sent_revision,"
        " json_extract(CAST(summary AS TEXT), '$.recorded_s') FROM session ORDER BY id",
        "second": "SELECT * FROM second ORDER BY session_id, t_s",
        "activity": "SELECT * FROM activity ORDER BY session_id, t_s",
        "outbox": "SELECT id, kind, athlete, session_id FROM outbox ORDER BY id",
        "shared": "SELECT athlete FROM shared_athlete ORDER BY athlete",
        "command": "SELECT id, answer FROM command ORDER BY id",
        "lap": "SELECT session_id, t_s FROM lap ORDER BY session_id, t_s",
        "target": "SELECT athlete, heart_rate_bpm FROM target ORDER BY athlete",
        "device": "SELECT commands_until, cleaning_due FROM device",
    }
    with closing(sqlite3.connect(directory / FILE_NAME)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return {name: db.execute(query).fetchall() for name, query in queries.items()}


def main() -> None:
    name, directory = sys.argv[1:]
    for state in WORKLOADS[name].run(Path(directory)):
        os.write(1, f"{state}\n".encode())


if __name__ == "__main__":
    main()
