"""The backend's configuration: one TOML file, checked as a whole before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from edge_agent.broker import DEFAULT_TOPIC_PREFIX, BrokerConfig, read_toml

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


class ApiConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where `heartline-backend serve` answers.

    Attributes:
        host: address to listen on; anything but the loopback needs a token.
        port: to listen on.
        token_file: file whose first line is what a client has to show, readable by its owner alone; without it, the
            environment variable `HEARTLINE_API_TOKEN` is the token, if there is one.
    """

    host: str = "127.0.0.1"
    port: Port = 8468
    token_file: Path | None = None


class RabbitMqConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """A RabbitMQ cluster whose MQTT plug-in takes the devices in.

    Attributes:
        port: of AMQP; 5671 is usual with TLS.
        other_nodes: further nodes as `host` or `host:port`; without a port theirs is the first one's.
        virtual_host: in which the devices publish.
        queue: that workers share; its companion for the devices' status is called `<queue>.status`.
    """

    port: Port = 5672
    other_nodes: tuple[Annotated[str, msgspec.Meta(pattern=r"^[^:\s]+(:\d{1,5})?$")], ...] = ()
    virtual_host: str = "/"
    queue: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = "heartline"


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
        rabbitmq: the cluster that devices publish to instead.
        metrics: where a worker shows its metrics.
        api: where the read API answers.
        timezone: in which days and weeks begin, e.g. `Europe/Berlin`.
    """

    store: StoreConfig = StoreConfig()
    broker: SharedBrokerConfig | None = None
    rabbitmq: RabbitMqConfig | None = None
    metrics: MetricsConfig = MetricsConfig()
    api: ApiConfig = ApiConfig()
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.broker and self.rabbitmq:
            msg = "[broker] and [rabbitmq]: name the one that devices publish to"
            raise ValueError(msg)
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            msg = f"`timezone` {self.timezone!r} is not known here; name one like Europe/Berlin (Debian: tzdata)"
            raise ValueError(msg) from error

    @property
    def topic_prefix(self) -> str:
        """First part of the devices' topics."""
        source = self.broker or self.rabbitmq
        return source.topic_prefix if source else DEFAULT_TOPIC_PREFIX

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)


def load_config(path: Path) -> BackendConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: it cannot be read, or a key is missing, unknown or of the wrong kind.
    """
    config = read_toml(path, BackendConfig, keys="docs/backend.md")
    base = path.absolute().parent
    store = msgspec.structs.replace(config.store, file=base / config.store.file.expanduser())
    broker = config.broker and config.broker.with_files_beside(base)
    rabbitmq = config.rabbitmq and config.rabbitmq.with_files_beside(base)
    token_file = config.api.token_file and base / config.api.token_file
    api = msgspec.structs.replace(config.api, token_file=token_file)
    return msgspec.structs.replace(config, store=store, broker=broker, rabbitmq=rabbitmq, api=api)
