"""A damaged journal is set aside, what can be read of it is kept, and recording goes on."""

from __future__ import annotations

import random
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.errors import JournalError
from edge_agent.store.database import FILE_NAME
from edge_agent.store.exchange import set_aside
from edge_agent.store.identifiers import uuid7
from edge_agent.store.journal import Journal
from edge_agent.store.recovery import damage_of
from tests.store.samples import STARTED_AT, new_session, second, summarised
from tests.store.test_schema import write_version_1

SESSIONS, SECONDS = 4, 400
Rows = set[tuple[int, int, float]]


def record(directory: Path) -> uuid.UUID:
    """Three closed sessions, of which the broker has the first, and an open one; gives the device's id."""
    with Journal(directory) as journal:
        for number in range(1, SESSIONS + 1):
            session = journal.open_session(new_session(), [second(0, number)])
            journal.accept(session, [second(t_s, 60 + t_s % 100) for t_s in range(1, SECONDS)])
            if number < SESSIONS:
                summarised(journal, session)
        journal.acknowledge(journal.outbox()[0].id)
        return uuid.UUID(journal.device_id)


def rows(directory: Path) -> Rows:
    with closing(sqlite3.connect(directory / FILE_NAME)) as db:
        return set(db.execute("SELECT session_id, t_s, heart_rate_bpm FROM second"))


def pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA page_count").fetchone()[0])


def destroy(path: Path, page: int, content: bytes | None = None) -> None:
    """Overwrite a page, counted from 1, as a card does that has lost it."""
    with closing(sqlite3.connect(path)) as db:
        (size,) = db.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(content or b"\xff" * size)


def leaf_pages(path: Path, table: str) -> list[int]:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE VIRTUAL TABLE temp.stat USING dbstat(main)")
        return [p for (p,) in db.execute("SELECT pageno FROM temp.stat WHERE name = ? AND pagetype = 'leaf'", (table,))]


def test_a_sound_journal_is_left_as_it_is(tmp_path: Path) -> None:
    record(tmp_path)
    assert damage_of(tmp_path / FILE_NAME) is None
    Journal(tmp_path).close()
    assert set_aside(tmp_path) == []


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + bytes(200)])
def test_a_file_that_is_no_database_is_set_aside(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        assert journal.seconds(session) == [second(0)]
    assert (tmp_path / f"{FILE_NAME}.damaged-1").read_bytes() == content
    assert "set aside as journal.sqlite3.damaged-1; recording goes on in a new file, with 0 sessions" in caplog.text


@pytest.mark.parametrize("spoilt", [b"\x80", b"?"], ids=["no text", "text"])
def test_a_schema_that_is_spoilt_is_set_aside_whatever_its_bytes(tmp_path: Path, spoilt: bytes) -> None:
    record(tmp_path)
    path = tmp_path / FILE_NAME
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE second", b"CREATE %sABLE second" % spoilt))
    assert str(damage_of(path)).startswith("malformed database schema")
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        assert journal.seconds(session) == [second(0)]
    assert len(set_aside(tmp_path)) == 1


def test_all_but_the_rows_of_a_lost_page_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    device = record(tmp_path)
    before = rows(tmp_path)
    leaves = leaf_pages(tmp_path / FILE_NAME, "second")
    destroy(tmp_path / FILE_NAME, leaves[len(leaves) // 2])
    with Journal(tmp_path) as journal:
        after = rows(tmp_path)
        assert journal.device_id == str(device)
        assert journal.open_sessions() == [SESSIONS]
        assert len(journal.outbox()) == SESSIONS - 2
        journal.accept(SESSIONS, [second(SECONDS)])
        summarised(journal, SESSIONS)
    assert after < before
    assert len(before - after) <= 2 * len(before) / len(leaves)
    assert f"with {SESSIONS} sessions, {len(after)} seconds and {SESSIONS - 2} waiting messages" in caplog.text
    assert damage_of(tmp_path / FILE_NAME) is None


def test_seconds_whose_session_is_lost_are_kept_under_an_unknown_one(tmp_path: Path) -> None:
    record(tmp_path)
    before = rows(tmp_path)
    for page in leaf_pages(tmp_path / FILE_NAME, "session"):
        destroy(tmp_path / FILE_NAME, page)
    with Journal(tmp_path) as journal:
        assert rows(tmp_path) == before
        assert len(journal.open_sessions()) == SESSIONS
        assert summarised(journal, 1, interrupted=True).athlete == "unknown"


def test_what_is_in_the_log_of_a_damaged_journal_is_kept(tmp_path: Path) -> None:
    record(tmp_path)
    with Journal(tmp_path) as journal:
        journal.accept(SESSIONS, [second(SECONDS)])
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for name in (FILE_NAME, f"{FILE_NAME}-wal"):
            (crashed / name).write_bytes((tmp_path / name).read_bytes())
    leaves = leaf_pages(tmp_path / FILE_NAME, "second")
    destroy(crashed / FILE_NAME, leaves[1])
    Journal(crashed).close()
    assert (SESSIONS, SECONDS, 120.0) in rows(crashed)
    assert {path.name for path in crashed.iterdir()} == {
        *("lock", FILE_NAME, f"{FILE_NAME}.damaged-1", f"{FILE_NAME}.damaged-1-wal")
    }


@pytest.mark.parametrize("seed", range(25))
def test_whatever_is_damaged_recording_goes_on_with_nothing_invented(tmp_path: Path, seed: int) -> None:
    record(tmp_path)
    before = rows(tmp_path)
    chance = random.Random(seed)  # noqa: S311 - a test's
    path = tmp_path / FILE_NAME
    for page in chance.sample(range(2, pages(path) + 1), 1 + seed % 5):
        destroy(path, page, chance.choice([None, chance.randbytes(4096), bytes(4096)]))
    with Journal(tmp_path) as journal:
        for session in journal.open_sessions():
            summarised(journal, session, interrupted=True)
        new = journal.open_session(new_session(), [second(0)])
        assert journal.seconds(new) == [second(0)]
        assert rows(tmp_path) - {(new, 0, 120.0)} <= before
    assert damage_of(path) is None


def test_a_journal_that_is_found_damaged_while_recording_loses_no_second_of_the_recording(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record(tmp_path)
    with Journal(tmp_path) as journal:
        for page in leaf_pages(tmp_path / FILE_NAME, "second")[-2:]:
            destroy(tmp_path / FILE_NAME, page)
        for t_s in range(SECONDS, SECONDS + 30):
            journal.accept(SESSIONS, [second(t_s)])
        assert journal.held_s == 0
        kept = [s.t_s for s in journal.seconds(SESSIONS)]
        assert kept[-30:] == list(range(SECONDS, SECONDS + 30))
    assert "is damaged" in caplog.text
    assert "it can be written again" in caplog.text


@pytest.mark.parametrize("tables", [("session",), ("session", "second")], ids="+".join)
def test_a_session_that_is_recorded_survives_the_loss_of_its_row(tmp_path: Path, tables: tuple[str, ...]) -> None:
    record(tmp_path)
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session("grace"), [second(0)])
        journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # noqa: SLF001 - so that all of it is in the file
        for table in tables:
            for page in leaf_pages(tmp_path / FILE_NAME, table):
                destroy(tmp_path / FILE_NAME, page)
        journal._db.execute("PRAGMA cache_size=0")  # noqa: SLF001 - so that the loss is seen
        for t_s in range(1, 40):
            journal.accept(session, [second(t_s)])
        assert journal.held_s == 0
        summary = summarised(journal, session)
    assert summary.athlete == "grace"
    assert summary.recorded_s >= 39


def test_a_page_that_cannot_be_read_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    record(tmp_path)
    with Journal(tmp_path) as journal:
        for page in leaf_pages(tmp_path / FILE_NAME, "second"):
            destroy(tmp_path / FILE_NAME, page)
        with pytest.raises(JournalError, match=r"journal\.sqlite3: cannot be read .*start the agent to repair it"):
            journal.seconds(1)


def test_a_damaged_journal_of_version_1_is_brought_forward(tmp_path: Path) -> None:
    write_version_1(tmp_path)
    for page in leaf_pages(tmp_path / FILE_NAME, "second"):
        destroy(tmp_path / FILE_NAME, page)
    with Journal(tmp_path) as journal:
        assert len(journal.outbox()) == 1
        assert len(journal.open_sessions()) == 1


def test_a_damaged_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    record(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("PRAGMA user_version=99")
    destroy(tmp_path / FILE_NAME, leaf_pages(tmp_path / FILE_NAME, "second")[0])
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(JournalError, match="schema 99"):
        Journal(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before
    assert set_aside(tmp_path) == []


def test_commands_laps_and_targets_of_a_damaged_journal_go_on_in_the_new_one(tmp_path: Path) -> None:
    number = uuid7(STARTED_AT)
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(t_s) for t_s in range(SECONDS)])
        journal.mark_lap(session, 30)
        journal.set_target("ada", 120.0)
        journal.keep_answer(number, b"{}")
    destroy(tmp_path / FILE_NAME, leaf_pages(tmp_path / FILE_NAME, "second")[3])
    with Journal(tmp_path) as journal:
        assert set_aside(tmp_path)
        assert (journal.answer_to(number), journal.targets()) == (b"{}", {"ada": 120.0})
        assert summarised(journal, session).lap_ends_s == (30,)
