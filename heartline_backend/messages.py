"""From a topic and bytes to a message that can be kept, or a refusal with its reason.

The bytes come from anyone whom the broker lets publish: size, encoding, layout, ids and numbers are checked here, so
that nothing behind this door has to doubt them.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NoReturn, TypeVar

import msgspec

from edge_agent.store import messages as device_messages
from edge_agent.store import summary as device_summary
from edge_agent.store.messages import Event, Kind, Tombstone
from edge_agent.store.summary import Summary
from edge_agent.sync.topics import OFFLINE, ONLINE, Topics
from heartline_backend.errors import MessageRefusedError

# A summary has one to two kilobytes, and an event less.
MAX_PAYLOAD_BYTES = 16_384

# The agent's configuration allows 100 characters; other programs may publish, too.
_MAX_ATHLETE_CHARACTERS = 200

_MAX_REASON_CHARACTERS = 200

# What an INTEGER of PostgreSQL holds.
_MAX_INTEGER = 2**31 - 1

# A clock that was never set says 1970. The last year there is has hours that are beyond it in some time zones.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998

_Payload = TypeVar("_Payload", Summary, Event, Tombstone)


@dataclass(frozen=True, slots=True)
class SessionMessage:
    """A session in one page.

    Attributes:
        device: UUID of who published it.
        session_id: UUID.
        summary: as published.
        at: when it began, UTC.
    """

    device: str
    session_id: str
    summary: Summary
    at: datetime

    @property
    def athlete(self) -> str:
        """Label of whose it is."""
        return self.summary.athlete

    @property
    def dated(self) -> bool:
        """Whether it is known to have been recorded at that time, and by this device."""
        return self.summary.time_trusted and not self.summary.historical


@dataclass(frozen=True, slots=True)
class EventMessage:
    """Something that happened while recording.

    Attributes:
        device: UUID of who published it.
        event_id: UUID.
        session_id: UUID of the session it happened in, None outside of any.
        event: as published.
        at: UTC.
    """

    device: str
    event_id: str
    session_id: str | None
    event: Event
    at: datetime

    @property
    def athlete(self) -> str:
        """Label of whom it concerns."""
        return self.event.athlete

    @property
    def dated(self) -> bool:
        """Whether it is known to have happened at that time."""
        return self.event.time_trusted


@dataclass(frozen=True, slots=True)
class TombstoneMessage:
    """An athlete of a device is to be forgotten.

    Attributes:
        device: UUID of who published it.
        tombstone_id: UUID.
        athlete: label, as in the messages before.
        at: UTC.
        time_trusted: whether the device knew the time then.
    """

    device: str
    tombstone_id: str
    athlete: str
    at: datetime
    time_trusted: bool


@dataclass(frozen=True, slots=True)
class StatusMessage:
    """A device is there, or is not.

    Attributes:
        device: its UUID.
        online: whether the broker has a connection to it.
    """

    device: str
    online: bool


Message = SessionMessage | EventMessage | TombstoneMessage | StatusMessage


def shared_topics(prefix: str) -> list[str]:
    """Filters for what is shared out among workers."""
    return [Topics(prefix, "+").of(kind) for kind in (Kind.SUMMARY, Kind.EVENT, Kind.TOMBSTONE)]


def status_topic(prefix: str) -> str:
    """Filter for the devices' status."""
    return Topics(prefix, "+").status


def parse(prefix: str, topic: str, payload: bytes) -> Message:
    """Check a message.

    Args:
        prefix: first part of the devices' topics.
        topic: it came by.
        payload: its bytes.

    Raises:
        MessageRefusedError: it cannot be kept.
    """
    device = _device(prefix, topic)
    topics = Topics(prefix, topic.split("/")[-2])
    try:
        if len(payload) > MAX_PAYLOAD_BYTES:
            _refuse(f"{len(payload)} bytes, more than {MAX_PAYLOAD_BYTES}")
        if topic == topics.of(Kind.SUMMARY):
            return _session(device, _decode(payload, Summary, device_summary.SCHEMA))
        if topic == topics.of(Kind.EVENT):
            return _event(device, _decode(payload, Event, device_messages.SCHEMA))
        if topic == topics.of(Kind.TOMBSTONE):
            return _tombstone(device, _decode(payload, Tombstone, device_messages.SCHEMA))
        if topic == topics.status:
            return _status(device, payload)
        _refuse("no topic of a device")
    except ValueError as error:
        raise MessageRefusedError(str(error), device=device) from error


def _device(prefix: str, topic: str) -> str:
    before, _, device = topic.rpartition("/")[0].rpartition("/")
    try:
        if before != prefix:
            _refuse("no topic of a device")
        return _uuid(device, "the device in the topic")
    except ValueError as error:
        raise MessageRefusedError(str(error), device=None) from error


def _decode(payload: bytes, kind: type[_Payload], newest_schema: int) -> _Payload:
    try:
        decoded = msgspec.json.decode(payload, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse(_without_content(str(error)))
    if decoded.schema > newest_schema:
        _refuse(f"schema {decoded.schema}, this backend knows up to {newest_schema}; upgrade it")
    if not 1 <= decoded.revision <= _MAX_INTEGER:
        _refuse("`revision` is out of range")
    if not 1 <= len(decoded.athlete) <= _MAX_ATHLETE_CHARACTERS:
        _refuse(f"`athlete` has not 1 to {_MAX_ATHLETE_CHARACTERS} characters")
    if b"\\u0000" in msgspec.json.encode(decoded):  # which PostgreSQL keeps in no text
        _refuse("a text holds the character NUL")
    return decoded


def _without_content(reason: str) -> str:
    """What msgspec says, but for the value that it quotes when it is none of a few known ones."""
    value, where = "Invalid enum value", " - at "
    return f"{value}{reason[reason.rfind(where) :]}" if reason.startswith(value) else reason[:_MAX_REASON_CHARACTERS]


def _session(device: str, summary: Summary) -> SessionMessage:
    for name in ("duration_s", "recorded_s", "rr_interval_count"):
        if not 0 <= getattr(summary, name) <= _MAX_INTEGER:
            _refuse(f"`{name}` is out of range")
    session_id = _uuid(summary.session_id, "`session_id`")
    return SessionMessage(device, session_id, summary, _time(summary.started_at, "`started_at`"))


def _event(device: str, event: Event) -> EventMessage:
    session_id = None if event.session_id is None else _uuid(event.session_id, "`session_id`")
    if event.t_s is not None and not 0 <= event.t_s <= _MAX_INTEGER:
        _refuse("`t_s` is out of range")
    return EventMessage(device, _uuid(event.event_id, "`event_id`"), session_id, event, _time(event.at, "`at`"))


def _tombstone(device: str, tombstone: Tombstone) -> TombstoneMessage:
    return TombstoneMessage(
        device,
        _uuid(tombstone.tombstone_id, "`tombstone_id`"),
        tombstone.athlete,
        _time(tombstone.at, "`at`"),
        tombstone.time_trusted,
    )


def _status(device: str, payload: bytes) -> StatusMessage:
    if payload not in (ONLINE, OFFLINE):
        _refuse("a status is `online` or `offline`")
    return StatusMessage(device, payload == ONLINE)


def _uuid(text: str, what: str) -> str:
    try:
        plain = str(uuid.UUID(text))
    except ValueError:
        plain = None
    if plain is None or plain != text.lower():  # as in braces, or as a URN
        _refuse(f"{what} is no UUID")
    return plain


def _time(text: str, what: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        utc = None if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        utc = None
    if utc is None:
        _refuse(f"{what} is no date and time of ISO 8601 with a time zone")
    if not _FIRST_YEAR <= utc.year <= _LAST_YEAR:
        _refuse(f"{what} is not in the years {_FIRST_YEAR} to {_LAST_YEAR}")
    return utc


def _refuse(reason: str) -> NoReturn:
    raise ValueError(reason)
