"""The backend's configuration: one TOML file, checked as a whole before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from edge_agent.broker import BrokerConfig, read_toml

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where everything is kept.

    Attributes:
        file: SQLite's; relative paths count from the configuration file.
        postgresql: connection string of libpq instead, e.g. `host=db dbname=heartline user=heartline`; a password is
            better kept in the environment variable `PGPASSWORD`, or in a file that `PGPASSFILE` names.
    """

    file: Path = Path("heartline.sqlite3")
    postgresql: str | None = None


class SharedBrokerConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """The broker that devices publish to.

    Attributes:
        group: workers of one name share the messages.
    """

    group: Annotated[str, msgspec.Meta(pattern="^[^#+/$]+$")] = "heartline-backend"


class MetricsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a worker shows its metrics.

    Attributes:
        host: address to listen on; the loopback unless named.
        port: to listen on; the worker's number minus one is added.
    """

    host: str = "127.0.0.1"
    port: Port = 9468


class BackendConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it.

    Attributes:
        store: where everything is kept.
        broker: that devices publish to; None on a machine where nothing is taken in.
        metrics: where a worker shows its metrics.
    """

    store: StoreConfig = StoreConfig()
    broker: SharedBrokerConfig | None = None
    metrics: MetricsConfig = MetricsConfig()


def load_config(path: Path) -> BackendConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: it cannot be read, or a key is missing, unknown or of the wrong kind.
    """
    config = read_toml(path, BackendConfig, keys="docs/backend.md")
    base = path.absolute().parent
    store = msgspec.structs.replace(config.store, file=base / config.store.file.expanduser())
    return msgspec.structs.replace(config, store=store, broker=config.broker and config.broker.with_files_beside(base))
