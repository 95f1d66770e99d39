"""Forgetting an athlete: nothing of them is left in any byte, and a backend that may know them is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edge_agent.cli import main
from edge_agent.config import Role, SensorConfig
from edge_agent.errors import JournalError
from edge_agent.inference.models import WorkoutModel
from edge_agent.sensors.links.claims import Claims
from edge_agent.store.journal import Journal
from edge_agent.store.messages import Kind, Tombstone
from edge_agent.store.summary import Second
from tests.store.samples import STARTED_AT, new_session, second, summarised

NAME = "Unmistakable Name"
RR_MS = 777.00390625


def record(journal: Journal, athlete: str, *, enqueue: bool = True) -> None:
    seconds = [Second(t_s, 150.0, (RR_MS if athlete == NAME else 500.0,), {}) for t_s in range(200)]
    session = journal.open_session(new_session(athlete), seconds)
    journal.close_session(session, interrupted=False, enqueue=enqueue)


def traces(directory: Path) -> set[str]:
    """Files with a byte of the athlete's."""
    needles = (NAME.encode(), str(RR_MS).encode())
    files = {path for path in directory.rglob("*") if path.is_file()}
    return {path.name for path in files if any(needle in path.read_bytes() for needle in needles)}


def test_no_byte_is_left_and_others_keep_theirs(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for _ in range(3):
            record(journal, NAME, enqueue=False)
            record(journal, "grace")
        assert traces(tmp_path) == {"journal.sqlite3-wal"}
        forgotten = journal.forget_athlete(NAME, STARTED_AT, time_trusted=True)
        assert traces(tmp_path) == set()
        assert (forgotten.sessions, forgotten.tombstone) == (3, False)
        assert [len(journal.seconds(session)) for session in range(1, 7)] == [0, 200] * 3
        assert {m.athlete for m in journal.outbox()} == {"grace"}


def test_a_backend_that_may_know_the_athlete_is_told_and_then_the_name_is_gone_too(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for _ in range(2):
            record(journal, NAME)
        journal.acknowledge(journal.outbox()[0].id)
        forgotten = journal.forget_athlete(NAME, STARTED_AT, time_trusted=True)
        assert (forgotten.sessions, forgotten.messages, forgotten.tombstone) == (2, 1, True)
        (message,) = journal.outbox()
        assert (message.kind, message.athlete) == (Kind.TOMBSTONE, NAME)
        tombstone = msgspec.json.decode(message.payload, type=Tombstone)
        assert (tombstone.athlete, tombstone.at, tombstone.revision) == (NAME, "2026-03-01T07:30:00+00:00", 1)
        journal.acknowledge(message.id)
        assert not journal.forget_athlete(NAME, STARTED_AT, time_trusted=True).tombstone
        assert traces(tmp_path) == set()


def test_what_an_athlete_does_after_being_forgotten_comes_after_the_tombstone(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        record(journal, NAME)
        journal.forget_athlete(NAME, STARTED_AT, time_trusted=True)
        record(journal, NAME)
        assert [m.kind for m in journal.outbox()] == [Kind.TOMBSTONE, Kind.SUMMARY]


def test_damaged_files_that_were_set_aside_go_as_well(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        record(journal, NAME)
    (tmp_path / "journal.sqlite3.damaged-1").write_bytes(NAME.encode())
    (tmp_path / "journal.sqlite3.damaged-1-wal").write_bytes(NAME.encode())
    with Journal(tmp_path) as journal:
        assert journal.forget_athlete(NAME, STARTED_AT, time_trusted=True).set_aside == 1
        journal.acknowledge(journal.outbox()[0].id)
        journal.forget_athlete(NAME, STARTED_AT, time_trusted=True)
    assert traces(tmp_path) == set()


def test_a_program_that_still_reads_is_named_since_the_bytes_stay_for_it(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        record(journal, NAME, enqueue=False)
        with closing(sqlite3.connect(journal.path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM second").fetchone()
            with pytest.raises(JournalError, match="another program reads the file; close that"):
                journal.forget_athlete(NAME, STARTED_AT, time_trusted=True)
        journal.forget_athlete(NAME, STARTED_AT, time_trusted=True)
    assert traces(tmp_path) == set()


def test_the_command_deletes_what_was_learned_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(tmp_path) as journal:
        summarised(journal, journal.open_session(new_session("ada"), [second(0)]))
    athletes = WorkoutModel(tmp_path).athletes
    athletes.save("ada")
    athletes.save("grace")
    (tmp_path / "status.json").write_text('{"sources": {"ada": {}}}')
    Claims(tmp_path).write([SensorConfig(Role.HEART_RATE, name="HR 1", athlete="ada")])
    assert main(["forget-athlete", "ada", "--state", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "deleted: sessions 1, messages that were not sent yet 1" in out
    assert "what was learned is deleted" in out
    assert "the backend is told" in out
    assert "`edge-agent forget --sensor 'HR 1'` lets it go" in out
    assert not (tmp_path / "status.json").exists()
    assert len(list((tmp_path / "athletes").iterdir())) == 1


def test_nobody_is_forgotten_under_an_agent_that_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(tmp_path):
        assert main(["forget-athlete", "ada", "--state", str(tmp_path)]) == 2
    assert "another agent is recording here" in capsys.readouterr().err
