"""The journal's SQLite file: how it is opened, locked and written, and what its errors mean.

What a committed transaction outlives is decided here. `journal_mode=WAL` with `synchronous=FULL` syncs the write-ahead
log to the disk before a commit returns: a crash of the process or of the system, or a power cut, takes nothing of it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edge_agent.errors import JournalError

FILE_NAME = "journal.sqlite3"

# Errors by their primary code (https://sqlite.org/rescode.html). These pass, when the disk has room again, is writable,
# or answers, or when another program lets go of the file:
_PASSING = {
    sqlite3.SQLITE_FULL: "the disk is full; delete something, or set `keep_mb` in [store]",
    sqlite3.SQLITE_READONLY: "the disk is read-only, as after an error of the card; back up and replace it",
    sqlite3.SQLITE_IOERR: "the disk fails or has become read-only; back up and replace it",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened; check the folder and its owner",
    sqlite3.SQLITE_BUSY: "another program writes to it; close that",
    sqlite3.SQLITE_LOCKED: "another program writes to it; close that",
}
# What the system says of a disk, before SQLite is asked:
_OF_DISK = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EDQUOT: sqlite3.SQLITE_FULL,
    errno.EROFS: sqlite3.SQLITE_READONLY,
    errno.EIO: sqlite3.SQLITE_IOERR,
}
# These do not, since the file itself is at fault:
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}

# A commit of one second writes one page, with a header of 24 bytes, to the end of the log, and the disk writes all of
# the 4 kB blocks that this touches: always two with SQLite's usual pages of 4096 bytes, mostly one with those of 1024.
# The log is copied to the database when it has 500 pages, and is then written over from its beginning: its length, a
# change of which costs the file system writes of its own, stays. docs/durability.md has what was measured.
_PRAGMAS = (
    "page_size=1024",  # of a new file; has no effect on one that is there
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=500",
    "foreign_keys=ON",
    "secure_delete=ON",  # what is deleted is overwritten with zeros
)

# Each session in the log takes a page of it at least, and the log is copied when it has 500.
UNSEEN_SESSIONS = 1000

# Another program that writes is not waited for: a second that finds the file locked is kept for the next attempt.
_BUSY_S = 0.1


class _Connection(sqlite3.Connection):
    """Says that a schema is damaged whatever its bytes: SQLite quotes them, and they need not be text then."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401 - as its base has it
        """Run a statement.

        Raises:
            sqlite3.Error: it fails.
        """
        try:
            return super().execute(sql, parameters)
        except UnicodeDecodeError as error:
            msg = "malformed database schema, with bytes that are no text"
            damaged = sqlite3.DatabaseError(msg)
            damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damaged from error


def connect(path: Path) -> sqlite3.Connection:
    """Open a journal for writing; it is made when missing.

    SQLite gives its log and its shared memory the mode of the database: nobody but the owner reads health data.

    Raises:
        OSError: it cannot be made.
        sqlite3.Error: it cannot be opened.
    """
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S, factory=_Connection)
    try:
        for pragma in _PRAGMAS:
            db.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        db.close()
        raise
    return db


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Read a journal, also while an agent writes to it; the file and its log stay as they are."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, factory=_Connection)
    try:
        yield db
    finally:
        db.close()


def glimpse(path: Path) -> sqlite3.Connection:
    """Read a journal on a disk that cannot be written, by the agent that holds its folder.

    SQLite cannot open the log there, so what is seen is what had been copied from it, without the newest changes: up to
    `UNSEEN_SESSIONS` sessions may be missing.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, isolation_level=None)
    try:
        db.execute("PRAGMA schema_version")
    except sqlite3.Error:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and on the disk when it ends."""
    try:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite has rolled back by itself after some errors
            db.execute("ROLLBACK")
        raise


def settle(db: sqlite3.Connection) -> None:
    """Copy the log to the database and cut it to nothing, so that the database's file is all there is.

    Closing does so as well, but says nothing when it fails.

    Raises:
        sqlite3.Error: the disk cannot be written, or another program reads the file.
    """
    busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        msg = "another program reads the file; close that"
        raise sqlite3.OperationalError(msg)


def passing_trouble(error: sqlite3.Error) -> str | None:
    """What hinders the writing for now, and the remedy; None when the error is of another kind."""
    return _PASSING.get(_code(error))


def trouble_of_disk(error: BaseException | None) -> str | None:
    """Why a journal cannot be opened on a disk that cannot be written, and the remedy; None when it is not that."""
    if isinstance(error, OSError):
        return _PASSING.get(_OF_DISK.get(error.errno or 0, sqlite3.SQLITE_OK))
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_SHMSIZE:  # there is no room to share memory in
        return _PASSING[sqlite3.SQLITE_FULL]
    if isinstance(error, sqlite3.Error) and _code(error) in _OF_DISK.values():
        return passing_trouble(error)
    return None


def says_damaged(error: sqlite3.Error) -> bool:
    """Whether the error means that the file is damaged."""
    return _code(error) in _DAMAGE


def says_unreadable(error: sqlite3.Error) -> bool:
    """Whether the error means that the disk cannot read a part of the file any more."""
    return getattr(error, "sqlite_errorcode", None) in {sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ}


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # the primary one


def lock_folder(directory: Path) -> int:
    """Make the store's folder when missing, and keep other agents out of it.

    Returns:
        A file descriptor; closing it lets others in.

    Raises:
        JournalError: another agent is in it, or it cannot be written; the message names the remedy.
    """
    try:
        if not directory.is_dir():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_folder(directory.parent)
        lock = _open_lock(directory / "lock")
    except OSError as error:
        msg = f"{directory}: cannot hold the journal ({error.strerror}); name a writable folder in [store] directory"
        raise JournalError(msg) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        msg = (
            f"{directory / FILE_NAME}: another agent is recording here; stop it or name another folder in "
            "[store] directory"
        )
        raise JournalError(msg) from error
    return lock


def _open_lock(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def sync_folder(directory: Path) -> None:
    """Have what was made, renamed or deleted in a folder on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
