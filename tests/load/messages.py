"""What the simulated devices have in their outboxes: payloads encoded from the types that the agent's are."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import msgspec

from edge_agent import __version__
from edge_agent.store import messages, summary
from edge_agent.store.identifiers import uuid7
from edge_agent.store.messages import Event, Kind
from edge_agent.store.summary import ForecastScore, Summary
from edge_agent.sync.topics import Topics

EVENTS_OF_A_SESSION = 2
# Of sessions that are dated anew, since the device did not know the time when they began.
_REVISED = 0.1
_FIRST_DAY = datetime(2026, 3, 2, 6, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of an outbox.

    Attributes:
        device: UUID.
        kind: of the payload.
        id: `session_id` or `event_id`.
        revision: of it.
        topic: where it goes.
        payload: JSON.
    """

    device: str
    kind: Kind
    id: str
    revision: int
    topic: str
    payload: bytes


def outbox(random: Random, *, sessions: int) -> list[Message]:
    """What a device has to send after so many sessions of its two athletes, in the order of sending."""
    device = str(uuid.UUID(int=random.getrandbits(128), version=4))
    topics = Topics("heartline", device)
    athletes = [f"{random.getrandbits(64):016x}" for _ in range(2)]
    found: list[Message] = []
    for number in range(sessions):
        started_at = _FIRST_DAY + timedelta(days=number, minutes=random.randrange(840))
        session_id, athlete = str(uuid7(started_at)), random.choice(athletes)
        events = [_event(random, started_at, athlete, session_id) for _ in range(EVENTS_OF_A_SESSION)]
        found += [
            Message(device, Kind.EVENT, event.event_id, 1, topics.of(Kind.EVENT), msgspec.json.encode(event))
            for event in events
        ]
        for revision in range(1, 3 if random.random() < _REVISED else 2):
            page = _summary(random, started_at + timedelta(hours=revision - 1), athlete, session_id, revision)
            payload = msgspec.json.encode(page)
            found.append(Message(device, Kind.SUMMARY, session_id, revision, topics.of(Kind.SUMMARY), payload))
    return found


def _event(random: Random, started_at: datetime, athlete: str, session_id: str) -> Event:
    second = random.randrange(3000)
    at = started_at + timedelta(seconds=second)
    return Event(
        schema=messages.SCHEMA,
        event_id=str(uuid7(at)),
        revision=1,
        athlete=athlete,
        session_id=session_id,
        t_s=second,
        at=at.isoformat(),
        time_trusted=True,
        name="lap",
        detail={"lap": random.randrange(1, 20)},
    )


def _summary(random: Random, started_at: datetime, athlete: str, session_id: str, revision: int) -> Summary:
    duration_s, mean_bpm = random.randrange(900, 5400), random.uniform(105, 160)
    values = {
        "schema": summary.SCHEMA,
        "session_id": session_id,
        "revision": revision,
        "historical": False,
        "athlete": athlete,
        "started_at": started_at.isoformat(),
        "time_trusted": revision > 1,
        "interrupted": False,
        "duration_s": duration_s,
        "recorded_s": duration_s - random.randrange(20),
        "heart_rate_min_bpm": round(mean_bpm - 45),
        "heart_rate_mean_bpm": round(mean_bpm, 1),
        "heart_rate_max_bpm": round(mean_bpm + 30),
        "rr_interval_count": round(duration_s * mean_bpm / 60),
        "forecast": {h: ForecastScore(duration_s - h, 0.05 * h, 0.08 * h, 0.8) for h in (10, 30, 60)},
        "model_version": "1.0.0",
        "agent_version": __version__,
    }
    return msgspec.convert(values, Summary)
