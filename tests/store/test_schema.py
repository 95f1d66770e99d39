"""Migrations: forward, from every version there has been, with rows in it."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edge_agent.errors import JournalError
from edge_agent.store import schema
from edge_agent.store.database import FILE_NAME
from edge_agent.store.journal import Journal
from edge_agent.store.messages import Kind
from edge_agent.store.summary import Summary
from tests.store.samples import summarised

LIVE, SENT, REPLAYED = (str(uuid.uuid4()) for _ in range(2)), str(uuid.uuid4()), str(uuid.uuid5(uuid.UUID(int=0), "r"))
OPEN, QUEUED = LIVE

# As heartline wrote it with schema 1.
SUMMARY_1 = {
    "schema": 1,
    "athlete": "ada",
    "started_at": "2026-03-01T07:30:00+00:00",
    "time_trusted": True,
    "interrupted": False,
    "duration_s": 2,
    "recorded_s": 2,
    "heart_rate_min_bpm": 100.0,
    "heart_rate_mean_bpm": 101.0,
    "heart_rate_max_bpm": 102.0,
    "rr_interval_count": 1,
    "forecast": {"10": {"scored": 0, "mae_bpm": None, "persistence_mae_bpm": None, "inside_q10_q90": None}},
    "model_version": "0.1.0",
    "agent_version": "0.1.0",
}


def write_version_1(directory: Path) -> None:
    """A journal of schema 1: an open session, one that is queued, one that was sent, one that was replayed."""
    path = directory / FILE_NAME
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        schema.migrate(db, path, to=1)
        for row, (session, closed) in enumerate([(SENT, 1), (QUEUED, 1), (REPLAYED, 1), (OPEN, 0)], start=1):
            payload = msgspec.json.encode({**SUMMARY_1, "session_id": session})
            db.execute(
                "INSERT INTO session VALUES (?, ?, 'ada', '2026-03-01T07:30:00+00:00', 1, '0.1.0', ?)",
                (row, session, payload if closed else None),
            )
            db.execute("INSERT INTO second VALUES (?, 0, 100.0, '[600.0]', NULL), (?, 1, 102.0, NULL, NULL)", [row] * 2)
            if session in {SENT, QUEUED}:
                db.execute("INSERT INTO outbox (session_id, payload) VALUES (?, ?)", (row, payload))
        db.execute("DELETE FROM outbox WHERE session_id = 1")


def test_version_1_is_brought_forward_with_all_that_is_in_it(tmp_path: Path) -> None:
    write_version_1(tmp_path)
    with Journal(tmp_path) as journal:
        (message,) = journal.outbox()
        summary = msgspec.json.decode(message.payload, type=Summary)
        assert message.kind is Kind.SUMMARY
        assert (summary.session_id, summary.schema, summary.revision, summary.historical) == (QUEUED, 2, 1, False)
        assert summary.heart_rate_mean_bpm == 101.0
        (still_open,) = journal.open_sessions()
        assert [s.heart_rate_bpm for s in journal.seconds(still_open)] == [100.0, 102.0]
        assert summarised(journal, still_open, interrupted=True).session_id == OPEN
        assert journal.has_session(uuid.UUID(REPLAYED))
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        assert db.execute("SELECT uuid, historical FROM session WHERE historical").fetchall() == [(REPLAYED, 1)]
        # The sent one has left no trace in the old outbox: a backend may know ada.
        assert db.execute("SELECT athlete FROM shared_athlete").fetchall() == [("ada",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_a_file_that_was_brought_forward_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    def layout(directory: Path) -> set[tuple[str, str, str, int]]:
        directory.mkdir(exist_ok=True)
        Journal(directory).close()
        with closing(sqlite3.connect(directory / FILE_NAME)) as db:
            return set(
                db.execute(
                    "SELECT m.name, p.name, p.type, p.[notnull] FROM sqlite_master m, pragma_table_info(m.name) p"
                )
            )

    (tmp_path / "old").mkdir()
    write_version_1(tmp_path / "old")
    assert layout(tmp_path / "old") == layout(tmp_path / "new")


def test_a_migration_that_fails_leaves_the_file_at_the_version_it_had(tmp_path: Path) -> None:
    write_version_1(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("CREATE TABLE shared_athlete (in_the_way INTEGER)")
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            schema.migrate(db, tmp_path / FILE_NAME)
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert db.execute("SELECT count(*) FROM outbox").fetchone() == (1,)


def test_a_journal_of_a_newer_version_is_refused_with_advice(tmp_path: Path) -> None:
    Journal(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("PRAGMA user_version=99")
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(JournalError, match=rf"schema 99, this one knows {schema.VERSION}\); upgrade heartline"):
        Journal(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before
