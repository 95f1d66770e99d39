"""The embedded database: one file of SQLite, for one server."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from heartline_backend.errors import StoreAwayError, StoreError, StoreRefusedError
from heartline_backend.store.database import Value

# As in the device's journal: what is committed outlives a power cut, and what is deleted is overwritten.
_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON")

# Other workers write for milliseconds; a backup may take longer.
_BUSY_S = 30.0

# What passes by itself, or when somebody makes room; by primary code (https://sqlite.org/rescode.html).
_PASSING = {
    sqlite3.SQLITE_BUSY: "another program keeps it locked",
    sqlite3.SQLITE_LOCKED: "another program keeps it locked",
    sqlite3.SQLITE_FULL: "the disk is full; make room",
    sqlite3.SQLITE_IOERR: "the disk fails",
    sqlite3.SQLITE_READONLY: "it cannot be written; check its owner and the disk",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check the folder and its owner",
}


class SqliteDatabase:
    """A file that nobody but its owner can read."""

    def __init__(self, path: Path) -> None:
        """Prepare; nothing is opened before it is needed."""
        self._path = path
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self, *, writing: bool = True) -> Iterator[None]:
        """As `Database` has it."""
        with self._meaning():
            db = self._open()
            try:
                db.execute("BEGIN IMMEDIATE" if writing else "BEGIN")
                yield
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:  # SQLite has rolled back by itself after some errors
                    db.execute("ROLLBACK")
                raise

    def lock(self, *, alone: bool) -> None:
        """Nothing to do: `BEGIN IMMEDIATE` has the store alone already."""

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[dict[str, Any]]:
        """As `Database` has it."""
        cursor = self._open().execute(sql.replace("%s", "?"), [_written(value) for value in values])
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> int:
        """As `Database` has it."""
        written = [[_written(value) for value in row] for row in rows]
        return self._open().executemany(sql.replace("%s", "?"), written).rowcount

    def close(self) -> None:
        """As `Database` has it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            try:
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            except OSError as error:
                msg = f"{self._path}: cannot be opened ({error.strerror}); name another file in [store]"
                raise StoreAwayError(msg) from error
            db = sqlite3.connect(self._path, isolation_level=None, timeout=_BUSY_S, check_same_thread=False)
            try:
                for pragma in _PRAGMAS:
                    db.execute(f"PRAGMA {pragma}")
            except sqlite3.Error:
                db.close()
                raise
            self._connection = db
        return self._connection

    @contextmanager
    def _meaning(self) -> Iterator[None]:
        """Say what an error means for who asked."""
        try:
            yield
        except (sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, OverflowError) as error:
            msg = f"the store does not take it ({error})"
            raise StoreRefusedError(msg) from error
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF  # the primary one
            if code in _PASSING:
                msg = f"{self._path}: {_PASSING[code]}"
                raise StoreAwayError(msg) from error
            msg = f"{self._path}: {error}; move it away, or name another file in [store]"
            raise StoreError(msg) from error


def _written(value: Value) -> Value:
    """Times as text that sorts by time."""
    return value.astimezone(UTC).isoformat(timespec="microseconds") if isinstance(value, datetime) else value
