"""What is kept, and the one way it gets there: a batch of messages in one transaction.

A message is kept once by (device, id). A higher revision replaces a lower one; a lower or the same one changes nothing,
however late and however often it comes. So a batch may be repeated as a whole, and the workers may share the messages
in any way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter

import msgspec

from edge_agent.store.identifiers import uuid7
from heartline_backend.errors import StoreError
from heartline_backend.messages import EventMessage, Message, SessionMessage, StatusMessage, TombstoneMessage
from heartline_backend.store.database import Database, Value
from heartline_backend.store.migrations import migrate
from heartline_backend.store.reader import Reader
from heartline_backend.store.rows import DeadLetter

# Of dead letters the newest so many are kept: with 16 KiB each, at most 164 MB.
MAX_DEAD_LETTERS = 10_000

# How long after a tombstone a message of before may still come, where no clock tells: it was under way, or in the hands
# of a worker that went down and is back by the next day.
STRAGGLERS = timedelta(days=1)

_UPSERT_SESSION = """
    INSERT INTO session (device, session_id, revision, athlete, started_at, time_trusted, historical, interrupted,
        duration_s, recorded_s, heart_rate_min_bpm, heart_rate_mean_bpm, heart_rate_max_bpm, received_at, payload)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (device, session_id) DO UPDATE SET
        revision = excluded.revision, athlete = excluded.athlete, started_at = excluded.started_at,
        time_trusted = excluded.time_trusted, historical = excluded.historical, interrupted = excluded.interrupted,
        duration_s = excluded.duration_s, recorded_s = excluded.recorded_s,
        heart_rate_min_bpm = excluded.heart_rate_min_bpm, heart_rate_mean_bpm = excluded.heart_rate_mean_bpm,
        heart_rate_max_bpm = excluded.heart_rate_max_bpm, received_at = excluded.received_at, payload = excluded.payload
    WHERE excluded.revision > session.revision"""

_UPSERT_EVENT = """
    INSERT INTO event (device, event_id, revision, athlete, session_id, at, time_trusted, name, received_at, payload)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (device, event_id) DO UPDATE SET
        revision = excluded.revision, athlete = excluded.athlete, session_id = excluded.session_id, at = excluded.at,
        time_trusted = excluded.time_trusted, name = excluded.name, received_at = excluded.received_at,
        payload = excluded.payload
    WHERE excluded.revision > event.revision"""

_UPSERT_STATUS = """
    INSERT INTO device_status (device, online, since) VALUES (%s, %s, %s)
    ON CONFLICT (device) DO UPDATE SET online = excluded.online, since = excluded.since
    WHERE excluded.online <> device_status.online"""

_INSERT_TOMBSTONE = """
    INSERT INTO tombstone (device, tombstone_id, athlete_hash, at, time_trusted, received_at)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (device, tombstone_id) DO NOTHING
    RETURNING tombstone_id"""

_INSERT_LETTER = """
    INSERT INTO dead_letter (letter_id, received_at, device, topic, reason, size_bytes, payload)
    VALUES (%s, %s, %s, %s, %s, %s, %s)"""

_PRUNE_LETTERS = """
    DELETE FROM dead_letter WHERE letter_id <
        (SELECT letter_id FROM dead_letter ORDER BY letter_id DESC LIMIT 1 OFFSET %s)"""


_KEY = itemgetter(0, 1)  # device and id of a row


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch.

    Attributes:
        kept: sessions and events that are new, or newer than what was there; and new tombstones.
        repeated: those that were there already, in this revision or a higher one.
        forgotten: sessions and events of before their athlete was forgotten; they are not kept.
    """

    kept: int
    repeated: int
    forgotten: int


class Store(Reader):
    """Everything that is kept; used by one thread at a time."""

    def __init__(self, database: Database) -> None:
        """Make it ready.

        Raises:
            StoreError: it cannot be used; `StoreAwayError` when it may be, later.
        """
        super().__init__(database)
        try:
            migrate(database)
        except StoreError:
            database.close()
            raise

    def keep(self, messages: Sequence[Message], letters: Sequence[DeadLetter], now: datetime) -> Outcome:
        """Keep a batch, all or nothing; when this returns it is on the disk.

        Args:
            messages: in the order of their arrival.
            letters: what cannot be kept otherwise.
            now: wall time.

        Raises:
            StoreAwayError: nothing is kept; the same batch may be, later.
            StoreRefusedError: nothing is kept, since one of the messages cannot be.
        """
        tombstones = [message for message in messages if isinstance(message, TombstoneMessage)]
        with self._db.transaction():
            # A batch that forgets waits for those in progress and has the store alone: otherwise a message of the
            # athlete that another worker is about to commit would be seen by neither.
            self._db.lock(alone=bool(tombstones))
            buried = sum(self._bury(tombstone, now) for tombstone in tombstones)
            said = [message for message in messages if isinstance(message, SessionMessage | EventMessage)]
            living = self._but_forgotten(said, now)
            # Rows in one order for all workers, so that none of them waits for another in a circle.
            sessions = sorted((_session_row(m, now) for m in living if isinstance(m, SessionMessage)), key=_KEY)
            events = sorted((_event_row(m, now) for m in living if isinstance(m, EventMessage)), key=_KEY)
            changed = self._db.execute_many(_UPSERT_SESSION, sessions) if sessions else 0
            changed += self._db.execute_many(_UPSERT_EVENT, events) if events else 0
            last = {message.device: message.online for message in messages if isinstance(message, StatusMessage)}
            if last:
                self._db.execute_many(
                    _UPSERT_STATUS, [(device, online, now) for device, online in sorted(last.items())]
                )
            if letters:
                self._db.execute_many(_INSERT_LETTER, [_letter_row(letter) for letter in letters])
                self._db.execute(_PRUNE_LETTERS, (MAX_DEAD_LETTERS - 1,))
        repeated = len(living) - changed + len(tombstones) - buried
        return Outcome(changed + buried, repeated, len(said) - len(living))

    def delete_athlete(self, athlete: str, now: datetime, *, device: str | None = None) -> int:
        """Forget an athlete, as when a device says so: what was recorded before and comes late is not kept either.

        Args:
            athlete: label.
            now: wall time.
            device: that knows the athlete; None for every one that does.

        Returns:
            Sessions deleted.
        """
        with self._db.transaction():
            self._db.lock(alone=True)
            where, values = ("AND device = %s", [device]) if device else ("", [])
            known = self._db.execute(
                f"SELECT device FROM session WHERE athlete = %s {where} "  # noqa: S608 - one of two texts of ours
                f"UNION SELECT device FROM event WHERE athlete = %s {where}",
                [athlete, *values, athlete, *values],
            )
            deleted = 0
            for row in known:
                name = str(row["device"])
                tombstone = TombstoneMessage(name, str(uuid7(now)), athlete, now, time_trusted=True)
                self._db.execute(_INSERT_TOMBSTONE, _tombstone_row(tombstone, now))
                deleted += self._delete(name, athlete, but_after=None)
        return deleted

    def discard_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Forget dead letters."""
        with self._db.transaction():
            rows = [(str(letter.letter_id),) for letter in letters]
            self._db.execute_many("DELETE FROM dead_letter WHERE letter_id = %s", rows)

    def _bury(self, tombstone: TombstoneMessage, now: datetime) -> bool:
        """Forget an athlete; gives whether that was new."""
        if not self._db.execute(_INSERT_TOMBSTONE, _tombstone_row(tombstone, now)):
            return False
        self._delete(tombstone.device, tombstone.athlete, but_after=tombstone.at if tombstone.time_trusted else None)
        return True

    def _delete(self, device: str, athlete: str, *, but_after: datetime | None) -> int:
        """Delete what is here of an athlete, except what is known to be of after a time; gives how many sessions."""
        newer = "" if but_after is None else "AND NOT (time_trusted AND {} > %s)"
        values: list[Value] = [device, athlete, *([] if but_after is None else [but_after])]
        told = f"device = %s AND athlete = %s {newer}"
        gone = self._db.execute(
            f"DELETE FROM session WHERE {told.format('NOT historical AND started_at')} RETURNING session_id",  # noqa: S608 - texts of ours
            values,
        )
        self._db.execute(f"DELETE FROM event WHERE {told.format('at')}", values)  # noqa: S608 - texts of ours
        # Whose the dead letters are cannot be told.
        self._db.execute("DELETE FROM dead_letter WHERE device = %s", (device,))
        return len(gone)

    def _but_forgotten(
        self, said: Sequence[SessionMessage | EventMessage], now: datetime
    ) -> list[SessionMessage | EventMessage]:
        """Those of athletes who were not forgotten since."""
        hashed = [(_athlete_hash(message.device, message.athlete), message) for message in said]
        if not hashed:
            return []
        asked = sorted({athlete_hash for athlete_hash, _ in hashed})
        rows = self._db.execute(
            "SELECT athlete_hash, at, time_trusted, received_at FROM tombstone "  # noqa: S608 - places for values
            f"WHERE athlete_hash IN ({', '.join(['%s'] * len(asked))})",
            asked,
        )
        graves: dict[str, list[_Grave]] = {}
        for grave in msgspec.convert(rows, list[_Grave], strict=False):
            graves.setdefault(grave.athlete_hash, []).append(grave)
        return [m for hash_, m in hashed if not any(grave.holds(m, now) for grave in graves.get(hash_, ()))]


class _Grave(msgspec.Struct, frozen=True):
    """A tombstone, as the messages of its athlete are compared with it."""

    athlete_hash: str
    at: datetime
    time_trusted: bool
    received_at: datetime

    def holds(self, message: SessionMessage | EventMessage, now: datetime) -> bool:
        """Whether a message is of before.

        Where both times are known they decide. The session of a replayed recording, or of a device without the time,
        may be of before for as long as a message can be under way.
        """
        if self.time_trusted and message.dated:
            return message.at <= self.at
        return now - self.received_at < STRAGGLERS


def _athlete_hash(device: str, athlete: str) -> str:
    return hashlib.sha256(f"{device}\n{athlete}".encode()).hexdigest()


def _session_row(message: SessionMessage, now: datetime) -> tuple[Value, ...]:
    summary = message.summary
    return (
        message.device,
        message.session_id,
        summary.revision,
        summary.athlete,
        message.at,
        summary.time_trusted,
        summary.historical,
        summary.interrupted,
        summary.duration_s,
        summary.recorded_s,
        summary.heart_rate_min_bpm,
        summary.heart_rate_mean_bpm,
        summary.heart_rate_max_bpm,
        now,
        msgspec.json.encode(summary).decode(),
    )


def _event_row(message: EventMessage, now: datetime) -> tuple[Value, ...]:
    event = message.event
    return (
        message.device,
        message.event_id,
        event.revision,
        event.athlete,
        message.session_id,
        message.at,
        event.time_trusted,
        event.name,
        now,
        msgspec.json.encode(event).decode(),
    )


def _tombstone_row(message: TombstoneMessage, now: datetime) -> tuple[Value, ...]:
    name = _athlete_hash(message.device, message.athlete)
    return (message.device, message.tombstone_id, name, message.at, message.time_trusted, now)


def _letter_row(letter: DeadLetter) -> tuple[Value, ...]:
    device = None if letter.device is None else str(letter.device)
    return (
        str(letter.letter_id),
        letter.received_at,
        device,
        letter.topic,
        letter.reason,
        letter.size_bytes,
        letter.payload,
    )
