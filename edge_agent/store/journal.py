"""The journal: one SQLite file that holds every recorded second and every message not yet sent.

Each `accept` is one committed transaction, synced to the disk before it returns (`database`): what was accepted
survives a crash and a power cut. While the disk cannot be written, what is recorded waits in memory (`backlog`), in
order, and a journal that turns out to be damaged is replaced by what can be read of it (`recovery`): recording goes on.
"""

from __future__ import annotations

import logging
import sqlite3
import uuid
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from edge_agent.errors import JournalError
from edge_agent.store import commands, outbox, sessions
from edge_agent.store.backlog import Write
from edge_agent.store.database import UNSEEN_SESSIONS, passing_trouble, transaction
from edge_agent.store.forget import Forgotten, clean, delete_athlete
from edge_agent.store.journal_file import JournalFile
from edge_agent.store.messages import Event, OutboxMessage
from edge_agent.store.retention import Retention, retire
from edge_agent.store.sessions import NewSession, SinceBoot
from edge_agent.store.summary import Second, Summary

log = logging.getLogger(__name__)


class Journal(JournalFile):
    """One device's record: what is kept in the file, and read from it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._begun: dict[int, NewSession] = {}  # by this process, and not closed yet
        self._acknowledged: set[int] = set()  # whose acknowledgement waits in memory
        try:
            (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM session").fetchone()
        except BaseException:
            self.close()
            raise
        self._last_session = int(last) + (UNSEEN_SESSIONS if self._glimpsed else 0)

    def _ensure_open_sessions(self, db: sqlite3.Connection) -> None:
        for session_id, session in self._begun.items():
            sessions.ensure_session(db, session_id, session)

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
        if self.writable:
            self._acknowledged.clear()
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


def _recording(session_id: int, seconds: Iterable[Second]) -> Write:
    rows = sessions.rows_of(session_id, seconds)
    return Write(lambda db: sessions.insert_seconds(db, rows), seconds=len(rows.seconds))
