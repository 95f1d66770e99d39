"""What the store needs of a database: transactions, statements with `%s` for values, and rows by the names of columns.

Both databases read the same SQL; what differs between them is behind this door: how to connect, how values are written,
what their errors mean, and how the writers of several workers are kept apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

Value = str | int | float | bool | bytes | datetime | None


class Database(Protocol):
    """One connection, made when it is needed and again after it was lost; used by one thread at a time."""

    def transaction(self, *, writing: bool = True) -> AbstractContextManager[None]:
        """All or nothing, and on the disk when it ends.

        Args:
            writing: whether anything will be changed in it.

        Raises:
            StoreAwayError: nothing has happened; the same again may succeed.
            StoreRefusedError: a value is not taken; nothing has happened.
            StoreError: the database is not as it has to be.
        """

    def lock(self, *, alone: bool) -> None:
        """Until the transaction ends: share the store with other writers, or have it alone among them."""

    def execute(self, sql: str, values: Sequence[Value] = ()) -> list[dict[str, Any]]:
        """Run a statement in a transaction; gives its rows."""

    def execute_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> int:
        """Run a statement for each row of values, in a transaction; gives how many rows it has changed in all."""

    def close(self) -> None:
        """Let go of the connection."""
