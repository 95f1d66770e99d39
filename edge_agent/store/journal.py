"""The journal: one SQLite file that holds every recorded second and every summary not yet sent.

Each `accept` is one committed transaction, with the write-ahead log synced to the disk before it returns
(`synchronous=FULL`): what was accepted survives a crash and a power cut.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Self

from edge_agent.errors import JournalError
from edge_agent.store import outbox, schema, sessions
from edge_agent.store.messages import Event, OutboxMessage
from edge_agent.store.sessions import NewSession, SinceBoot
from edge_agent.store.summary import Second, Summary

FILE_NAME = "journal.sqlite3"


class Journal:
    """One device's record. Only one process at a time may have it open; others may read the file with SQLite."""

    def __init__(self, directory: Path) -> None:
        """Open the journal in `directory`, making both when missing.

        Raises:
            JournalError: another agent has it open, or it cannot be opened; the message names the remedy.
        """
        self.path = directory / FILE_NAME
        self._when_queued: list[Callable[[], None]] = []
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            msg = (
                f"{directory}: cannot hold the journal ({error.strerror}); name a writable folder in [store] directory"
            )
            raise JournalError(msg) from error
        try:
            self._db = self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> sqlite3.Connection:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # SQLite gives its log and shared-memory files the mode of the database: nobody else reads health data.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            db = sqlite3.connect(self.path, isolation_level=None)
        except BlockingIOError as error:
            msg = f"{self.path}: another agent is recording here; stop it or name another folder in [store] directory"
            raise JournalError(msg) from error
        except (OSError, sqlite3.Error) as error:
            msg = f"{self.path}: cannot be opened ({error}); name a writable folder in [store] directory"
            raise JournalError(msg) from error
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            schema.migrate(db, self.path)
        except sqlite3.Error as error:
            db.close()
            msg = f"{self.path}: is no journal ({error}); move the file aside, a new one is made at the next start"
            raise JournalError(msg) from error
        except JournalError:
            db.close()
            raise
        return db

    def close(self) -> None:
        """Close the file and let others open it."""
        self._db.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it ends."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            msg = f"{self.path}: cannot be written ({error}); check that the disk is neither full nor read-only"
            raise JournalError(msg) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @property
    def device_id(self) -> str:
        """Random UUID of this device."""
        (device_id,) = self._db.execute("SELECT id FROM device").fetchone()
        return str(device_id)

    def has_session(self, session_uuid: uuid.UUID) -> bool:
        """Whether the journal knows a session."""
        return self._db.execute("SELECT 1 FROM session WHERE uuid = ?", (str(session_uuid),)).fetchone() is not None

    def open_session(self, session: NewSession, seconds: Iterable[Second]) -> int:
        """Begin a session with its first seconds, so that no session is without any.

        Returns:
            Its id here; ids ascend in the order of beginning, whatever the clock says.
        """
        with self._transaction():
            return self._insert_session(session, seconds, historical=False)

    def import_session(self, session: NewSession, seconds: Iterable[Second]) -> Summary:
        """Record a session that is over already; nothing of it is queued for the broker."""
        with self._transaction():
            session_id = self._insert_session(session, seconds, historical=True)
            return sessions.close_session(self._db, session_id, interrupted=False)

    def _insert_session(self, session: NewSession, seconds: Iterable[Second], *, historical: bool) -> int:
        (session_id,) = self._db.execute("SELECT coalesce(max(id), 0) + 1 FROM session").fetchone()
        sessions.insert_session(self._db, session_id, session, historical=historical)
        sessions.insert_seconds(self._db, sessions.rows_of(session_id, seconds))
        return int(session_id)

    def accept(self, session_id: int, seconds: Iterable[Second]) -> None:
        """Record further seconds of an open session; they are on the disk when this returns."""
        with self._transaction():
            sessions.insert_seconds(self._db, sessions.rows_of(session_id, seconds))

    def seconds(self, session_id: int) -> list[Second]:
        """All recorded seconds of a session, in order."""
        return sessions.read_seconds(self._db, session_id)

    def open_sessions(self) -> list[int]:
        """Sessions that were begun and not closed."""
        return [row[0] for row in self._db.execute("SELECT id FROM session WHERE summary IS NULL ORDER BY id")]

    def close_session(self, session_id: int, *, interrupted: bool, enqueue: bool) -> Summary:
        """Close a session: its summary is stored and, when asked for, queued for the broker, in one transaction."""
        with self._transaction():
            summary = sessions.close_session(self._db, session_id, interrupted=interrupted)
            if enqueue:
                outbox.queue_summary(self._db, session_id)
        self._tell(queued=enqueue)
        return summary

    def date_sessions(self, now: datetime, since_boot: SinceBoot) -> None:
        """Date the sessions of this boot that began before the time was known; to be called once it is trusted.

        A summary that was queued or sent is queued anew, with a higher revision.
        """
        with self._transaction():
            dated = sessions.date_sessions(self._db, now, since_boot)
            for session_id in dated:
                outbox.queue_revision(self._db, session_id)
        self._tell(queued=bool(dated))

    def queue_event(self, event: Event) -> None:
        """Queue an event for the broker."""
        with self._transaction():
            outbox.queue_event(self._db, event)
        self._tell(queued=True)

    def outbox(self, limit: int = 100) -> list[OutboxMessage]:
        """What is to be sent to the broker next, in order, at most `limit` messages."""
        return outbox.waiting(self._db, limit)

    def acknowledge(self, message_id: int) -> None:
        """Drop a message that the broker has acknowledged."""
        with self._transaction():
            outbox.acknowledge(self._db, message_id)

    def when_queued(self, callback: Callable[[], None]) -> None:
        """Have `callback` called whenever something was queued for the broker."""
        self._when_queued.append(callback)

    def _tell(self, *, queued: bool) -> None:
        for callback in self._when_queued if queued else ():
            callback()
