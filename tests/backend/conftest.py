"""The backend's tests run on both databases where they are about what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from heartline_backend.config import StoreConfig
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store
from tests.postgresql import emptied, postgresql


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """A PostgreSQL for all tests."""
    with postgresql() as conninfo:
        yield conninfo


@pytest.fixture(params=["sqlite", "postgresql"])
def store_config(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreConfig]:
    """An empty store on each database."""
    if request.param == "sqlite":
        yield StoreConfig(file=tmp_path / "backend.sqlite3")
    else:
        yield StoreConfig(postgresql=emptied(request.getfixturevalue("server")))


@pytest.fixture
def file_store(tmp_path: Path) -> Iterator[Store]:
    """For what is not about the database."""
    with open_store(StoreConfig(file=tmp_path / "backend.sqlite3")) as opened:
        yield opened


@pytest.fixture
def store(store_config: StoreConfig) -> Iterator[Store]:
    with open_store(store_config) as opened:
        yield opened
