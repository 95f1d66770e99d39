"""What the store gives back."""

from __future__ import annotations

import uuid
from datetime import datetime

import msgspec


class Session(msgspec.Struct, frozen=True):
    """A session, by its highest revision.

    Attributes:
        device: that recorded it.
        session_id: given by the device.
        revision: highest that came.
        athlete: label; of this device alone, unless devices tell names.
        started_at: UTC.
        time_trusted: whether the device knew the time then.
        historical: whether a recording was replayed.
        interrupted: whether the agent was cut off.
        duration_s: seconds from the first to the last heart rate.
        recorded_s: seconds with a heart rate.
        heart_rate_min_bpm: None when no second had a heart rate; likewise mean and maximum.
        heart_rate_mean_bpm: over the seconds with a heart rate.
        heart_rate_max_bpm: the highest second.
        received_at: when it was kept, UTC, by this server's clock.
        payload: JSON of the summary as published.
    """

    device: uuid.UUID
    session_id: uuid.UUID
    revision: int
    athlete: str
    started_at: datetime
    time_trusted: bool
    historical: bool
    interrupted: bool
    duration_s: int
    recorded_s: int
    heart_rate_min_bpm: float | None
    heart_rate_mean_bpm: float | None
    heart_rate_max_bpm: float | None
    received_at: datetime
    payload: str


class Event(msgspec.Struct, frozen=True):
    """Something that happened while recording.

    Attributes:
        device: that told it.
        event_id: given by the device.
        athlete: label of whom it concerns.
        session_id: that it happened in, None outside of any.
        at: UTC.
        time_trusted: whether the device knew the time then.
        name: what happened.
        received_at: when it was kept, UTC, by this server's clock.
        payload: JSON of the event as published.
    """

    device: uuid.UUID
    event_id: uuid.UUID
    athlete: str
    session_id: uuid.UUID | None
    at: datetime
    time_trusted: bool
    name: str
    received_at: datetime
    payload: str


class Athlete(msgspec.Struct, frozen=True):
    """An athlete of a device.

    Attributes:
        device: that knows the athlete.
        athlete: label.
        sessions: kept.
        recorded_s: seconds with a heart rate in them.
        last_started_at: when the last of them began, UTC.
    """

    device: uuid.UUID
    athlete: str
    sessions: int
    recorded_s: int
    last_started_at: datetime


class Device(msgspec.Struct, frozen=True):
    """A device that was heard of.

    Attributes:
        device: its UUID.
        online: whether the broker has a connection to it; None when its status was never heard.
        since: when that was heard first, UTC, by this server's clock.
        sessions: kept.
        last_received_at: when the last of them came.
    """

    device: uuid.UUID
    online: bool | None
    since: datetime | None
    sessions: int
    last_received_at: datetime | None


class Standing(msgspec.Struct, frozen=True):
    """How things stand.

    Attributes:
        online: devices that the broker has a connection to.
        offline: devices that it had one to.
        dead_letters: kept.
    """

    online: int
    offline: int
    dead_letters: int


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that could not be kept.

    Attributes:
        letter_id: UUIDv7.
        received_at: UTC, by this server's clock.
        device: from the topic, None where it names none.
        topic: it came by; its first 200 characters.
        reason: why it could not be kept.
        size_bytes: of the whole payload.
        payload: its first 16 KiB.
    """

    letter_id: uuid.UUID
    received_at: datetime
    device: uuid.UUID | None
    topic: str
    reason: str
    size_bytes: int
    payload: bytes
