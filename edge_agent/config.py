"""The agent's configuration: one TOML file, checked as a whole before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec

from edge_agent.errors import ConfigError


class StrapConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which strap to connect to; any other is left alone.

    Attributes:
        address: its Bluetooth address, as `edge-agent scan` prints it.
        name: its advertised name; instead of the address or together with it.
    """

    address: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        if not (self.address or self.name):
            msg = "needs `address` or `name` (see `edge-agent scan`)"
            raise ValueError(msg)


class AthleteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wears the strap.

    Attributes:
        name: label of the athlete in the record and in summaries.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)] = "athlete"


class StoreConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the record is kept.

    Attributes:
        directory: folder of the journal; made when missing. Relative paths count from the configuration file.
        keep_days: sessions that began longer ago are deleted; None keeps them.
        keep_mb: when the journal holds more, the oldest sessions are deleted; None keeps them.
        delete_unsent: whether that goes for sessions, too, that no broker has acknowledged.
    """

    directory: Path
    keep_days: Annotated[float, msgspec.Meta(gt=0)] | None = None
    keep_mb: Annotated[float, msgspec.Meta(gt=0)] | None = None
    delete_unsent: bool = False


class MqttConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The broker that summaries go to; without this section nothing is ever sent.

    Attributes:
        host: name or address of the broker.
        port: its port; 8883 is usual with TLS.
        username: to log in with.
        password_file: file whose first line is the password, readable by its owner alone.
        tls: whether to encrypt and to check the broker's certificate.
        ca_file: certificate authority of the broker, instead of the system's own.
        topic_prefix: first part of every topic.
    """

    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    topic_prefix: Annotated[str, msgspec.Meta(pattern="^[^#+/]+(/[^#+/]+)*$")] = "heartline"

    def __post_init__(self) -> None:
        if self.ca_file and not self.tls:
            msg = "`ca_file` needs `tls = true`"
            raise ValueError(msg)
        if self.password_file and not self.username:
            msg = "`password_file` needs `username`"
            raise ValueError(msg)


class AgentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    strap: StrapConfig
    store: StoreConfig
    athlete: AthleteConfig = AthleteConfig()
    mqtt: MqttConfig | None = None


def load_config(path: Path) -> AgentConfig:
    """Read and check a configuration file.

    Raises:
        ConfigError: it cannot be read, or a key is missing, unknown or of the wrong kind.
    """
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=AgentConfig, dec_hook=_decode_path)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); name an existing file with --config"
        raise ConfigError(msg) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        msg = f"{path}: {error}; see docs/configuration.md for the keys and an example"
        raise ConfigError(msg) from error
    base = path.absolute().parent
    mqtt = config.mqtt and msgspec.structs.replace(
        config.mqtt,
        password_file=config.mqtt.password_file and base / config.mqtt.password_file,
        ca_file=config.mqtt.ca_file and base / config.mqtt.ca_file,
    )
    store = msgspec.structs.replace(config.store, directory=base / config.store.directory.expanduser())
    return msgspec.structs.replace(config, store=store, mqtt=mqtt)


def read_password(path: Path) -> str:
    """The first line of a password file.

    Raises:
        ConfigError: the file cannot be read, or others than its owner can.
    """
    try:
        if path.stat().st_mode & 0o077:
            msg = f"{path}: others can read this password file; run `chmod 600 {path}`"
            raise ConfigError(msg)
        return (path.read_text(encoding="utf-8").splitlines() or [""])[0]
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: the password file cannot be read ({error}); see docs/configuration.md"
        raise ConfigError(msg) from error


def _decode_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    msg = f"expected a {kind.__name__.lower()}, got {value!r}"
    raise ValueError(msg)
