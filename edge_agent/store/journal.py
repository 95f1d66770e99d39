"""The journal: one SQLite file that holds every recorded second and every message not yet sent.

Each `accept` is one committed transaction, synced to the disk before it returns (`database`): what was accepted
survives a crash and a power cut. While the disk cannot be written, what is recorded waits in memory (`backlog`), in
order, and a journal that turns out to be damaged is replaced by what can be read of it (`recovery`): recording goes on.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Self

from edge_agent.errors import JournalError
from edge_agent.store import commands, outbox, schema, sessions
from edge_agent.store.backlog import HELD_SECONDS, Backlog, Write
from edge_agent.store.database import (
    FILE_NAME,
    UNSEEN_SESSIONS,
    connect,
    glimpse,
    lock_folder,
    passing_trouble,
    says_damaged,
    transaction,
    trouble_of_disk,
)
from edge_agent.store.forget import Forgotten, clean, delete_athlete, is_cleaning_due
from edge_agent.store.messages import Event, OutboxMessage
from edge_agent.store.recovery import ensure_sound
from edge_agent.store.retention import Retention, retire
from edge_agent.store.sessions import NewSession, SinceBoot
from edge_agent.store.summary import Second, Summary

log = logging.getLogger(__name__)

_HELD_H = HELD_SECONDS // 3600


class Journal:
    """One device's record. Only one process at a time may have it open; others may read the file with SQLite."""

    def __init__(self, directory: Path) -> None:
        """Open the journal in `directory`, making both when missing, and repairing it when it is damaged.

        Where there is one on a disk that cannot be written, it is opened later, and recording begins in memory.

        Raises:
            JournalError: another agent has it open, or it cannot be opened; the message names the remedy.
        """
        self.path = directory / FILE_NAME
        self._when_queued: list[Callable[[], None]] = []
        self._backlog = Backlog()
        self._begun: dict[int, NewSession] = {}  # by this process, and not closed yet
        self._acknowledged: set[int] = set()  # whose acknowledgement waits in the backlog
        self._together: list[Write] | None = None  # changes that are to be made in one transaction
        self._glimpsed = False  # whether the file is only seen, and not open yet
        self._lock = lock_folder(directory)
        try:
            self._db = self._open_or_glimpse()
            (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM session").fetchone()
        except BaseException:
            os.close(self._lock)
            raise
        self._last_session = int(last) + (UNSEEN_SESSIONS if self._glimpsed else 0)

    def _open_or_glimpse(self) -> sqlite3.Connection:
        try:
            return self._open()
        except JournalError as error:
            if trouble_of_disk(error.__cause__) is None or not self.path.exists():
                raise
        try:
            return self._open()  # for an error that comes once
        except JournalError as error:
            trouble = trouble_of_disk(error.__cause__)
            if trouble is None:
                raise
            try:
                db = glimpse(self.path)
                known = schema.version_of(db, self.path) == schema.VERSION
            except sqlite3.Error:
                raise error from error.__cause__
            if not known:
                db.close()
                raise
            self._glimpsed = True
            log.error(  # noqa: TRY400 - the trace says nothing more
                "journal: it cannot be opened (%s): %s. Recording begins in memory, for %d h at most",
                *(error.__cause__, trouble, _HELD_H),
            )
            return db

    def _open(self) -> sqlite3.Connection:
        try:
            if (
                self.path.exists()
            ):  # a read-only disk says so here; of its log SQLite would say that it cannot be opened
                os.close(os.open(self.path, os.O_RDWR | os.O_CLOEXEC))
            ensure_sound(self.path.parent)
            db = connect(self.path)
        except (OSError, sqlite3.Error) as error:
            msg = (
                f"{self.path}: cannot be opened ({error}); check the disk, or name another folder in [store] directory"
            )
            raise JournalError(msg) from error
        try:
            schema.migrate(db, self.path)
        except sqlite3.Error as error:
            db.close()
            msg = f"{self.path}: cannot be brought to the present version ({error}); check that the disk has room"
            raise JournalError(msg) from error
        except JournalError:
            db.close()
            raise
        self._clean_if_due(db)
        return db

    def _clean_if_due(self, db: sqlite3.Connection) -> None:
        try:
            if is_cleaning_due(db):
                clean(db, self.path.parent)
        except (OSError, sqlite3.Error) as error:
            log.warning("journal: bytes of a forgotten athlete may be left (%s); the next start tries again", error)

    def close(self) -> None:
        """Close the file and let others open it; what waits in memory is written as far as it can be."""
        if self._backlog:
            self._flush()
        if self._backlog:
            log.error("journal: %d s could not be written and are lost", self._backlog.seconds)
        self._db.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def writable(self) -> bool:
        """Whether what is written now is on the disk at once, as far as is known."""
        return not (self._backlog or self._glimpsed)

    @property
    def held_s(self) -> int:
        """Recorded seconds that wait in memory, because the disk cannot be written."""
        return self._backlog.seconds

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            msg = f"{self.path}: cannot be read ({error}); {passing_trouble(error) or 'start the agent to repair it'}"
            raise JournalError(msg) from error

    def _write(self, *writes: Write) -> bool:
        """Make changes in one transaction, or have them wait in memory while the disk does not take them.

        Returns:
            Whether they are on the disk.
        """
        if self._together is not None:
            self._together += writes
            return False
        if not self.writable and not (self._backlog.due() and self._flush()):
            self._hold(writes)
            return False
        try:
            self._apply(writes)
        except sqlite3.Error as error:
            self._say_why(error)
            self._hold(writes)
            if says_damaged(error):
                self._replace()
            return False
        self._tell(queued=any(write.queues for write in writes))
        return True

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make the changes within, but for `forget_athlete`, in one transaction at the end; none of them if it fails.

        While the disk cannot be written they wait in memory together, too.
        """
        if self._together is not None:
            yield
            return
        self._together = []
        try:
            yield
            writes = self._together
        finally:
            self._together = None

        def apply(db: sqlite3.Connection) -> None:
            for write in writes:
                write.apply(db)

        if writes:
            seconds, queues = sum(write.seconds for write in writes), any(write.queues for write in writes)
            self._write(Write(apply, seconds=seconds, queues=queues))

    def _apply(self, writes: Iterable[Write]) -> None:
        with transaction(self._db):
            for write in writes:
                write.apply(self._db)

    def _hold(self, writes: Iterable[Write]) -> None:
        for write in writes:
            self._backlog.hold(write)

    def _flush(self) -> bool:
        """Try to write what waits in memory; whether nothing waits any more."""
        if self._glimpsed and not self._open_at_last():
            return False
        try:
            self._backlog.flush(self._db)
        except sqlite3.Error as error:
            if says_damaged(error) or isinstance(error, sqlite3.ProgrammingError):  # closed, by a vain `_replace`
                self._replace()
            return False
        self._acknowledged.clear()
        log.warning("journal: it can be written again; nothing waits in memory any more")
        self._tell(queued=True)
        return True

    def _open_at_last(self) -> bool:
        try:
            db = self._open()
        except JournalError:
            return False
        self._db.close()
        self._db, self._glimpsed = db, False
        return True

    def _replace(self) -> None:
        """Go on with what can be read of a journal that was found damaged, at the next attempt to write."""
        self._db.close()
        try:
            self._db = self._open()
            with transaction(self._db):
                for session_id, session in self._begun.items():
                    sessions.ensure_session(self._db, session_id, session)
        except (JournalError, sqlite3.Error) as error:
            log.error("journal: %s. Recording goes on in memory", error)  # noqa: TRY400 - the trace says nothing more

    def _say_why(self, error: sqlite3.Error) -> None:
        if says_damaged(error):
            log.error("journal: %s is damaged (%s)", self.path, error)
        elif trouble := passing_trouble(error):
            log.error(
                "journal: it cannot be written (%s): %s. Recording goes on in memory, for %d h at most",
                *(error, trouble, _HELD_H),
            )
        else:
            msg = f"{self.path}: cannot be written ({error}); this is a fault of heartline, please report it"
            raise JournalError(msg) from error

    @property
    def device_id(self) -> str:
        """Random UUID of this device."""
        with self._reading():
            return str(self._db.execute("SELECT id FROM device").fetchone()[0])

    @property
    def pseudonym_key(self) -> bytes:
        """Secret of this device that athletes' names on the wire are made with."""
        with self._reading():
            return bytes(self._db.execute("SELECT pseudonym_key FROM device").fetchone()[0])

    def shared_athletes(self) -> list[str]:
        """Athletes of whom something was queued for the broker."""
        with self._reading():
            return [name for (name,) in self._db.execute("SELECT athlete FROM shared_athlete ORDER BY athlete")]

    def athletes(self) -> list[str]:
        """Athletes of whom there is anything here."""
        with self._reading():
            rows = self._db.execute("SELECT athlete FROM session UNION SELECT athlete FROM shared_athlete")
            return [name for (name,) in rows]

    def targets(self) -> dict[str, float]:
        """By athlete who has one, the heart rate in bpm to come down to after an effort."""
        with self._reading():
            return dict(self._db.execute("SELECT athlete, heart_rate_bpm FROM target"))

    def has_session(self, session_uuid: uuid.UUID) -> bool:
        """Whether the journal knows a session."""
        with self._reading():
            row = self._db.execute("SELECT 1 FROM session WHERE uuid = ?", (str(session_uuid),)).fetchone()
        return row is not None

    def open_session(self, session: NewSession, seconds: Iterable[Second]) -> int:
        """Begin a session with its first seconds, so that no session is without any.

        Returns:
            Its id here; ids ascend in the order of beginning, whatever the clock says.
        """
        session_id = self._next_session()
        self._begun[session_id] = session
        begin = Write(lambda db: sessions.insert_session(db, session_id, session, historical=False))
        self._write(begin, _recording(session_id, seconds))
        return session_id

    def import_session(self, session: NewSession, seconds: Iterable[Second]) -> Summary:
        """Record a session that is over already; nothing of it is queued for the broker.

        Raises:
            JournalError: the disk cannot be written.
        """
        session_id = self._next_session()
        try:
            with transaction(self._db):
                sessions.insert_session(self._db, session_id, session, historical=True)
                sessions.insert_seconds(self._db, sessions.rows_of(session_id, seconds))
                return sessions.close_session(self._db, session_id, interrupted=False)
        except sqlite3.Error as error:
            msg = f"{self.path}: cannot be written ({error}); {passing_trouble(error) or 'restore a backup'}"
            raise JournalError(msg) from error

    def _next_session(self) -> int:
        self._last_session += 1
        return self._last_session

    def accept(self, session_id: int, seconds: Iterable[Second]) -> None:
        """Record further seconds of an open session; unless the disk fails they are on it when this returns."""
        self._write(_recording(session_id, seconds))

    def seconds(self, session_id: int) -> list[Second]:
        """All seconds of a session that are on the disk, in order."""
        with self._reading():
            return sessions.read_seconds(self._db, session_id)

    def open_sessions(self) -> list[int]:
        """Sessions that were begun and not closed."""
        with self._reading():
            return [row[0] for row in self._db.execute("SELECT id FROM session WHERE summary IS NULL ORDER BY id")]

    def close_session(self, session_id: int, *, interrupted: bool, enqueue: bool) -> Summary | None:
        """Close a session: its summary is stored and, when asked for, queued for the broker, in one transaction.

        Returns:
            The summary; None where it is made later, `together` or when the disk can be written.
        """
        made: list[Summary] = []

        def close(db: sqlite3.Connection) -> None:
            made.append(sessions.close_session(db, session_id, interrupted=interrupted))
            if enqueue:
                outbox.queue_summary(db, session_id)
            self._begun.pop(session_id, None)

        return made[-1] if self._write(Write(close, queues=enqueue)) else None

    def date_sessions(self, now: datetime, since_boot: SinceBoot) -> None:
        """Date the sessions of this boot that began before the time was known; to be called once it is trusted.

        A summary that was queued or sent is queued anew, with a higher revision.
        """

        def date(db: sqlite3.Connection) -> None:
            for session_id in sessions.date_sessions(db, now, since_boot):
                outbox.queue_revision(db, session_id)

        self._write(Write(date, queues=True))

    def queue_event(self, event: Event) -> None:
        """Queue an event for the broker."""
        self._write(Write(lambda db: outbox.queue_event(db, event), queues=True))

    def retire(self, retention: Retention, now: datetime | None) -> int:
        """Delete the sessions that are not to be kept (`retention.retire`); none while the disk fails.

        Returns:
            How many were deleted.
        """
        try:
            return retire(self._db, retention, now)
        except sqlite3.Error as error:
            log.warning("journal: nothing can be deleted now (%s)", error)
            return 0

    def set_target(self, athlete: str, heart_rate_bpm: float | None) -> None:
        """Set the heart rate that an athlete is to come down to after an effort; None takes it away."""
        self._write(Write(lambda db: commands.set_target(db, athlete, heart_rate_bpm)))

    def mark_lap(self, session_id: int, t_s: int) -> None:
        """End a lap of an open session with a second that is recorded or will be."""
        self._write(Write(lambda db: commands.mark_lap(db, session_id, t_s)))

    def keep_answer(self, command_id: uuid.UUID, answer: bytes) -> None:
        """Keep the answer to a command, best `together` with what the command has changed."""
        self._write(Write(lambda db: commands.keep_answer(db, command_id, answer)))

    def answer_to(self, command_id: uuid.UUID) -> bytes | None:
        """The answer that a command got; None where it got none that is on the disk, or is not known any more."""
        with self._reading():
            return commands.answer_to(self._db, command_id)

    def may_be_dropped(self, command_id: uuid.UUID) -> bool:
        """Whether a command without an answer may have got one that was dropped, to make room for others."""
        with self._reading():
            return commands.may_be_dropped(self._db, command_id)

    def forget_athlete(
        self, athlete: str, now: datetime, *, time_trusted: bool, answer: tuple[uuid.UUID, bytes] | None = None
    ) -> Forgotten:
        """Delete all that is here of an athlete, and queue a tombstone where the backend may know them.

        Args:
            athlete: label.
            now: wall time.
            time_trusted: whether it is known.
            answer: to the command that asked for it, by its id; kept in the same transaction.

        Raises:
            JournalError: the disk cannot be written, or another program reads the journal.
        """
        try:
            with transaction(self._db):
                forgotten = delete_athlete(self._db, athlete, now, time_trusted=time_trusted)
                if answer is not None:
                    commands.keep_answer(self._db, *answer)
            forgotten = replace(forgotten, set_aside=clean(self._db, self.path.parent))
        except (OSError, sqlite3.Error) as error:
            msg = f"{self.path}: not every byte of the athlete could be deleted ({error}); forget them again"
            raise JournalError(msg) from error
        self._tell(queued=forgotten.tombstone)
        return forgotten

    def outbox(self, limit: int = 100, *, but_of: Collection[str] = ()) -> list[OutboxMessage]:
        """What is to be sent to the broker next, in order; none while the disk fails.

        Args:
            limit: at most so many messages.
            but_of: athletes whose messages are passed over.
        """
        try:
            waiting = outbox.waiting(self._db, limit + len(self._acknowledged), but_of)
        except sqlite3.Error as error:
            log.warning("journal: the outbox cannot be read (%s); what waits is sent later", error)
            return []
        return [message for message in waiting if message.id not in self._acknowledged][:limit]

    def acknowledge(self, message_id: int) -> None:
        """Drop a message that the broker has acknowledged."""
        if not self._write(Write(lambda db: outbox.acknowledge(db, message_id))):
            self._acknowledged.add(message_id)

    def when_queued(self, callback: Callable[[], None]) -> None:
        """Have `callback` called whenever something was queued for the broker."""
        self._when_queued.append(callback)

    def _tell(self, *, queued: bool) -> None:
        for callback in self._when_queued if queued else ():
            callback()


def _recording(session_id: int, seconds: Iterable[Second]) -> Write:
    rows = sessions.rows_of(session_id, seconds)
    return Write(lambda db: sessions.insert_seconds(db, rows), seconds=len(rows.seconds))
