"""How the journal's file is written: at once, or when the disk takes it again.

While the disk cannot be written, what is to be written waits in memory (`backlog`), in order, and a file that turns out
to be damaged is replaced by what can be read of it (`recovery`).
"""

from __future__ import annotations

import logging
import os
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from edge_agent.errors import JournalError
from edge_agent.store import schema
from edge_agent.store.backlog import HELD_SECONDS, Backlog, Write
from edge_agent.store.database import (
    FILE_NAME,
    connect,
    glimpse,
    lock_folder,
    passing_trouble,
    says_damaged,
    transaction,
    trouble_of_disk,
)
from edge_agent.store.forget import clean, is_cleaning_due
from edge_agent.store.recovery import ensure_sound

log = logging.getLogger(__name__)

_HELD_H = HELD_SECONDS // 3600


class JournalFile(ABC):
    """The file of one device's record. Only one process at a time may have it open; others may read it with SQLite."""

    def __init__(self, directory: Path) -> None:
        """Open the file in `directory`, making both when missing, and repairing it when it is damaged.

        Where there is one on a disk that cannot be written, it is opened later, and recording begins in memory.

        Raises:
            JournalError: another agent has it open, or it cannot be opened; the message names the remedy.
        """
        self.path = directory / FILE_NAME
        self._when_queued: list[Callable[[], None]] = []
        self._backlog = Backlog()
        self._together: list[Write] | None = None  # changes that are to be made in one transaction
        self._glimpsed = False  # whether the file is only seen, and not open yet
        self._lock = lock_folder(directory)
        try:
            self._db = self._open_or_glimpse()
        except BaseException:
            os.close(self._lock)
            raise

    @abstractmethod
    def _ensure_open_sessions(self, db: sqlite3.Connection) -> None:
        """Begin the sessions again whose beginning is missing in a file that replaces a damaged one."""

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
            # A read-only disk says so here; of its log SQLite would say that it cannot be opened.
            if self.path.exists():
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
                self._ensure_open_sessions(self._db)
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

    def when_queued(self, callback: Callable[[], None]) -> None:
        """Have `callback` called whenever something was queued for the broker."""
        self._when_queued.append(callback)

    def _tell(self, *, queued: bool) -> None:
        for callback in self._when_queued if queued else ():
            callback()
