"""What waits in the outbox: summaries (`summary.Summary`), events and tombstones.

A backend keeps each message once by (device, id, revision): the id is `session_id`, `event_id` or `tombstone_id`, a
higher revision replaces a lower one, and a message that comes twice is the same message.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import msgspec

SCHEMA = 2


class Kind(StrEnum):
    """Kind of a message."""

    SUMMARY = "summary"
    """JSON of a `Summary`: a session in one page, or a newer revision of it."""
    EVENT = "event"
    """JSON of an `Event`: something that happened while recording."""
    TOMBSTONE = "tombstone"
    """JSON of a `Tombstone`: an athlete was forgotten, and the backend has to forget as well."""


# What happens while recording, each with its `detail`:
EventName = Literal[
    "session_started",
    "session_ended",  # recorded_s
    "lap",  # lap: its number, from 1 on
    "target_reached",  # target_bpm; heart rate came down to it after it had been above
    "sensor_lost",  # sensor: its label, role; for half a minute, in a session
    "sensor_back",  # sensor, role, away_s
    "battery_low",  # sensor, role, battery_percent
]


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message that waits for the broker.

    Attributes:
        id: of its row; ascending in the order of sending.
        kind: what the payload is.
        athlete: label of whom it concerns; messages of one athlete keep their order.
        payload: JSON.
    """

    id: int
    kind: Kind
    athlete: str
    payload: bytes


class Event(msgspec.Struct, frozen=True):
    """Something that happened while recording.

    Attributes:
        schema: version of this layout.
        event_id: UUIDv7.
        revision: always 1.
        athlete: label from the configuration.
        session_id: UUID of the session it happened in, None outside of any.
        t_s: second of that session.
        at: ISO 8601, UTC, by the clock of then; where `time_trusted` is false, go by the session's date and `t_s`.
        time_trusted: whether the device knew the time then.
        name: what happened.
        detail: more about it.
    """

    schema: int
    event_id: str
    revision: int
    athlete: str
    session_id: str | None
    t_s: int | None
    at: str
    time_trusted: bool
    name: EventName
    detail: dict[str, str | int | float | bool]


class Tombstone(msgspec.Struct, frozen=True):
    """An athlete was forgotten: whatever a backend holds of them from this device has to go.

    Attributes:
        schema: version of this layout.
        tombstone_id: UUIDv7.
        revision: always 1.
        athlete: label, as in the messages before.
        at: ISO 8601, UTC, by the clock of then.
        time_trusted: whether the device knew the time then.
    """

    schema: int
    tombstone_id: str
    revision: int
    athlete: str
    at: str
    time_trusted: bool
