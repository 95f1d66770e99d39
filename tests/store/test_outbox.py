"""The outbox: three kinds of messages in one order, and what happens when too many wait."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from edge_agent.store import outbox
from edge_agent.store.journal import Journal
from edge_agent.store.messages import Event, Kind
from edge_agent.store.summary import Summary
from tests.store.samples import new_session, second


def event(number: int, athlete: str = "ada") -> Event:
    return Event(
        schema=2,
        event_id=f"event-{number}",
        revision=1,
        athlete=athlete,
        session_id=None,
        t_s=None,
        at="2026-03-01T07:30:00+00:00",
        time_trusted=True,
        name="battery_low",
        detail={"percent": number},
    )


def close_one(journal: Journal, athlete: str = "ada") -> int:
    session = journal.open_session(new_session(athlete), [second(0)])
    journal.close_session(session, interrupted=False, enqueue=True)
    return session


def test_messages_wait_in_the_order_of_queueing_and_leave_when_acknowledged(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        close_one(journal)
        journal.queue_event(event(1))
        close_one(journal, "grace")
        journal.acknowledge(journal.outbox()[0].id)
    with Journal(tmp_path) as journal:
        first, last = journal.outbox()
        assert (first.kind, first.athlete) == (Kind.EVENT, "ada")
        assert msgspec.json.decode(first.payload, type=Event) == event(1)
        assert (last.kind, last.athlete) == (Kind.SUMMARY, "grace")
        assert journal.outbox(limit=1) == [first]


def test_a_message_that_is_acknowledged_twice_is_gone_once(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        close_one(journal)
        close_one(journal)
        first, last = journal.outbox()
        journal.acknowledge(first.id)
        journal.acknowledge(first.id)
        assert journal.outbox() == [last]


def test_when_too_many_events_wait_the_oldest_goes_and_that_is_said_but_no_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(outbox, "MAX_EVENTS", 2)
    with Journal(tmp_path) as journal:
        close_one(journal)
        for number in range(4):
            journal.queue_event(event(number))
        summary, *events = journal.outbox()
    assert summary.kind is Kind.SUMMARY
    assert [msgspec.json.decode(e.payload, type=Event) for e in events] == [event(2), event(3)]
    assert caplog.text.count("2 events wait for the broker, the oldest of them is dropped") == 2


def test_whoever_sends_is_told_when_there_is_something_to_send(tmp_path: Path) -> None:
    told: list[str] = []
    with Journal(tmp_path) as journal:
        journal.when_queued(lambda: told.append("queued"))
        session = journal.open_session(new_session(), [second(0)])
        journal.close_session(session, interrupted=False, enqueue=False)
        assert told == []
        close_one(journal)
        journal.queue_event(event(1))
        assert told == ["queued"] * 2


def test_a_summary_is_in_the_queue_as_it_is_in_its_session(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        summary = journal.close_session(session, interrupted=True, enqueue=True)
        (message,) = journal.outbox()
    assert msgspec.json.decode(message.payload, type=Summary) == summary
    assert (summary.revision, summary.historical) == (1, False)
