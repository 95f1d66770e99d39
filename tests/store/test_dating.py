"""The clock table: sessions get their date when the time is known, and no jump of it reorders them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from edge_agent.store.journal import Journal
from edge_agent.store.sessions import SinceBoot
from edge_agent.store.summary import Summary
from tests.store.samples import STARTED_AT, new_session, second, summarised

NOW = datetime(2029, 3, 1, 12, 0, tzinfo=UTC)


def undated(journal: Journal, elapsed_s: float, *, boot_id: str = "boot-1", enqueue: bool = True) -> int:
    """A session that began before the time was known, and is closed."""
    new = new_session(boot=SinceBoot(boot_id, elapsed_s), time_trusted=False)
    session = journal.open_session(new, [second(0)])
    journal.close_session(session, interrupted=False, enqueue=enqueue)
    return session


def queued(journal: Journal) -> list[Summary]:
    return [msgspec.json.decode(m.payload, type=Summary) for m in journal.outbox()]


def test_sessions_before_the_time_was_known_get_their_date_and_a_new_revision(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        undated(journal, 30.0)
        journal.acknowledge(journal.outbox()[0].id)
        undated(journal, 1000.0)
        journal.date_sessions(NOW, SinceBoot("boot-1", 3600.0))
        first, second_ = queued(journal)
    assert datetime.fromisoformat(first.started_at) == NOW - timedelta(seconds=3570)
    assert datetime.fromisoformat(second_.started_at) == NOW - timedelta(seconds=2600)
    assert {(s.revision, s.time_trusted) for s in (first, second_)} == {(2, True)}


def test_an_acknowledgement_of_the_undated_summary_does_not_take_the_dated_one(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        undated(journal, 30.0)
        (in_flight,) = journal.outbox()
        journal.date_sessions(NOW, SinceBoot("boot-1", 60.0))
        journal.acknowledge(in_flight.id)
        assert [s.revision for s in queued(journal)] == [2]


def test_a_session_that_was_not_meant_for_the_broker_is_dated_and_stays_here(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        undated(journal, 30.0, enqueue=False)
        journal.date_sessions(NOW, SinceBoot("boot-1", 60.0))
        assert journal.outbox() == []


def test_an_open_session_is_dated_before_it_is_summarised(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        new = new_session(boot=SinceBoot("boot-1", 10.0), time_trusted=False)
        session = journal.open_session(new, [second(0)])
        journal.date_sessions(NOW, SinceBoot("boot-1", 20.0))
        summary = summarised(journal, session)
    assert (summary.started_at, summary.revision) == ("2029-03-01T11:59:50+00:00", 1)


def test_a_session_of_an_earlier_boot_keeps_the_date_that_cannot_be_trusted(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        undated(journal, 30.0, boot_id="boot-0")
        journal.date_sessions(NOW, SinceBoot("boot-1", 60.0))
        (summary,) = queued(journal)
    assert (summary.revision, summary.time_trusted) == (1, False)
    assert datetime.fromisoformat(summary.started_at) == STARTED_AT


def test_a_trusted_date_is_not_touched_when_the_clock_is_set_back(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(boot=SinceBoot("boot-1", 10.0)), [second(0)])
        journal.date_sessions(STARTED_AT - timedelta(hours=1), SinceBoot("boot-1", 20.0))
        summary = summarised(journal, session)
    assert datetime.fromisoformat(summary.started_at) == STARTED_AT
