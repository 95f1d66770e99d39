"""The store that the configuration names."""

from __future__ import annotations

from heartline_backend.config import StoreConfig
from heartline_backend.store.sqlite import SqliteDatabase
from heartline_backend.store.store import Store


def open_store(config: StoreConfig) -> Store:
    """Open it; the tables are made when missing.

    Raises:
        StoreError: it cannot be used; `StoreAwayError` when it may be, later.
    """
    if config.postgresql is None:
        return Store(SqliteDatabase(config.file))
    from heartline_backend.store.postgresql import PostgresDatabase  # noqa: PLC0415 - libpq, for those who use it

    return Store(PostgresDatabase(config.postgresql))
