"""PostgreSQL, for several workers at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg.rows import dict_row

from heartline_backend.errors import StoreAwayError, StoreError, StoreRefusedError
from heartline_backend.store.database import Value

_Connection = psycopg.Connection[dict[str, Any]]

# How long a connection may take: the worker tries again, and has to end when it is told to.
_CONNECT_S = 5

# A machine that loses its power in the middle of a transaction says nothing, and would keep its lock for as long as the
# system waits for it: two hours, usually. Nothing here rests in a transaction.
_IDLE_S = 30

# The other way round: a server that is gone is given up after a minute (30 s of silence, and three questions).
_ALIVE = "keepalives_idle=30 keepalives_interval=10 keepalives_count=3 tcp_user_timeout=60000"

# What passes, though PostgreSQL has it among the errors of programs: a server that waits to become the main one, and a
# worker that was stopped or had no processor for half a minute.
_PASSING = (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.IdleInTransactionSessionTimeout)

# The advisory lock of all writers of this store: "heartlin" in ASCII, which no other program chooses by accident.
_LOCK = int.from_bytes(b"heartlin")


class PostgresDatabase:
    """A database by libpq's connection string; a password comes from it, `PGPASSWORD`, or `PGPASSFILE`."""

    def __init__(self, conninfo: str) -> None:
        """Prepare; nothing is connected before it is needed.

        Raises:
            StoreError: the connection string cannot be read.
        """
        try:
            given = psycopg.conninfo.conninfo_to_dict(conninfo)
        except psycopg.Error as error:
            msg = f"`postgresql` in [store] is no connection string of libpq ({str(error).strip()})"
            raise StoreError(msg) from error
        self._conninfo = psycopg.conninfo.make_conninfo(_ALIVE, **given)
        self._connection: _Connection | None = None

    @contextmanager
    def transaction(self, *, writing: bool = True) -> Iterator[None]:
        """As `Database` has it."""
        try:
            with self._open().transaction():
                if not writing:
                    self.execute("SET TRANSACTION READ ONLY")
                yield
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            msg = f"the store does not take it ({_said(error)})"
            raise StoreRefusedError(msg) from error
        except (psycopg.OperationalError, *_PASSING) as error:  # connections, deadlocks, full disks, shutdowns
            msg = f"PostgreSQL: {_said(error)}"
            raise StoreAwayError(msg) from error
        except psycopg.Error as error:
            msg = (
                f"PostgreSQL: {_said(error)}; check the rights of the role, and that the database is the backend's own"
            )
            raise StoreError(msg) from error

    def lock(self, *, alone: bool) -> None:
        """As `Database` has it."""
        self.execute(f"SELECT pg_advisory_xact_lock{'' if alone else '_shared'}(%s)", (_LOCK,))

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[dict[str, Any]]:
        """As `Database` has it."""
        cursor = self._open().execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> int:
        """As `Database` has it; psycopg sends the rows without waiting for each other's answer."""
        with self._open().cursor() as cursor:
            cursor.executemany(sql, rows)
            return cursor.rowcount

    def close(self) -> None:
        """As `Database` has it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> _Connection:
        if self._connection is not None and self._connection.closed:
            self._connection = None
        if self._connection is None:
            self._connection = cast(
                "_Connection",
                psycopg.connect(self._conninfo, autocommit=True, row_factory=dict_row, connect_timeout=_CONNECT_S),
            )
            self._connection.execute("SET TIME ZONE 'UTC'")
            self._connection.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_S}s'")
        return self._connection


def _said(error: psycopg.Error) -> str:
    """What PostgreSQL says, in one line and without the values that it quotes in its details."""
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]
