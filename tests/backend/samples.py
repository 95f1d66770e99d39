"""Messages as devices send them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import msgspec

from edge_agent.store import messages, summary
from edge_agent.store.identifiers import uuid7
from edge_agent.store.messages import Event, Tombstone
from edge_agent.store.summary import ForecastScore, Summary
from heartline_backend.consumers.base import Delivery
from heartline_backend.messages import Message, parse

PREFIX = "heartline"
DEVICE = "4a1c7a4e-5a63-4b0e-9f0e-3b5d1f6c2a10"
OTHER_DEVICE = "9d2f3c58-0a5e-4c11-8a77-61f0b7c2d9e4"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday


def a_summary(
    *,
    athlete: str = "ada",
    started_at: datetime = NOON,
    revision: int = 1,
    session_id: str | None = None,
    time_trusted: bool = True,
    historical: bool = False,
    duration_s: int = 1800,
    heart_rate_mean_bpm: float | None = 140.0,
) -> Summary:
    return Summary(
        summary.SCHEMA,
        session_id or str(uuid.uuid5(uuid.NAMESPACE_OID, athlete) if historical else uuid7(started_at)),
        revision,
        historical,
        athlete,
        started_at.isoformat(),
        time_trusted,
        False,
        duration_s,
        duration_s,
        None if heart_rate_mean_bpm is None else heart_rate_mean_bpm - 60,
        heart_rate_mean_bpm,
        None if heart_rate_mean_bpm is None else heart_rate_mean_bpm + 40,
        2 * duration_s,
        {10: ForecastScore(1700, 1.5, 2.5, 0.8)},
        "0.3.0",
        "0.1.0",
    )


def an_event(*, athlete: str = "ada", at: datetime = NOON, time_trusted: bool = True) -> Event:
    return Event(
        messages.SCHEMA, str(uuid7(at)), 1, athlete, None, None, at.isoformat(), time_trusted, "lap", {"lap": 1}
    )


def a_tombstone(
    *, athlete: str = "ada", at: datetime = NOON + timedelta(hours=1), time_trusted: bool = True
) -> Tombstone:
    return Tombstone(messages.SCHEMA, str(uuid7(at)), 1, athlete, at.isoformat(), time_trusted)


_NAMES: dict[type, str] = {Summary: "session", Event: "event", Tombstone: "forgotten"}


def delivery(
    payload: Summary | Event | Tombstone | bytes, *, device: str = DEVICE, name: str | None = None
) -> Delivery:
    """As it comes from the broker."""
    if isinstance(payload, bytes):
        return Delivery(f"{PREFIX}/{device}/{name or 'session'}", payload, None)
    return Delivery(f"{PREFIX}/{device}/{name or _NAMES[type(payload)]}", msgspec.json.encode(payload), None)


def message(payload: Summary | Event | Tombstone | bytes, *, device: str = DEVICE, name: str | None = None) -> Message:
    """As it goes to the store."""
    came = delivery(payload, device=device, name=name)
    return parse(PREFIX, came.topic, came.payload)
