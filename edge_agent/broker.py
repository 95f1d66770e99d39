"""How a broker is reached: the keys that every program of this project has for it, its password, its certificates."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Annotated, Self, TypeVar

import msgspec

from edge_agent.errors import ConfigError

PASSWORD_VARIABLE = "HEARTLINE_MQTT_PASSWORD"  # noqa: S105 - the name of one

DEFAULT_TOPIC_PREFIX = "heartline"

_FILES = ("password_file", "ca_file", "certificate_file", "key_file")

_Config = TypeVar("_Config")


class BrokerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A broker, and how to log in.

    Attributes:
        host: name or address of the broker.
        port: its port; 8883 is usual with TLS.
        username: to log in with.
        password_file: file whose first line is the password, readable by its owner alone; without it, the environment
            variable `HEARTLINE_MQTT_PASSWORD` is the password, if there is one.
        tls: whether to encrypt and to check the broker's certificate.
        ca_file: certificate authority of the broker, instead of the system's own.
        certificate_file: this client's own certificate, where the broker asks for one.
        key_file: key of that certificate; None where it is in the same file.
        check_server_name: whether the broker's certificate has to carry the name in `host`.
        topic_prefix: first part of every topic.
    """

    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    username: str | None = None
    password_file: Path | None = None
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    check_server_name: bool = True
    topic_prefix: Annotated[str, msgspec.Meta(pattern="^[^#+/]+(/[^#+/]+)*$")] = DEFAULT_TOPIC_PREFIX

    def __post_init__(self) -> None:
        for key, is_set in (
            ("ca_file", self.ca_file),
            ("certificate_file", self.certificate_file),
            ("check_server_name", not self.check_server_name),
        ):
            if is_set and not self.tls:
                msg = f"`{key}` needs `tls = true`"
                raise ValueError(msg)
        if self.key_file and not self.certificate_file:
            msg = "`key_file` needs `certificate_file`"
            raise ValueError(msg)
        if self.password_file and not self.username:
            msg = "`password_file` needs `username`"
            raise ValueError(msg)

    def with_files_beside(self, base: Path) -> Self:
        """The same, with the relative paths in it counted from a folder."""
        named = {key: base / path for key in _FILES if (path := getattr(self, key)) is not None}
        return msgspec.structs.replace(self, **named)


def read_toml(path: Path, kind: type[_Config], *, keys: str) -> _Config:
    """Read a configuration file.

    Args:
        path: of the file.
        kind: what is in it.
        keys: page of the manual that explains the keys, for the message.

    Raises:
        ConfigError: it cannot be read, or a key is missing, unknown or of the wrong kind.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind, dec_hook=_decode_path)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); name an existing file with --config"
        raise ConfigError(msg) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        msg = f"{path}: {error}; see {keys} for the keys and an example"
        raise ConfigError(msg) from error


def read_password(config: BrokerConfig) -> str | None:
    """The password to log in with.

    Raises:
        ConfigError: its file cannot be read, or others than its owner can.
    """
    return read_secret(config.password_file, PASSWORD_VARIABLE)


def read_secret(path: Path | None, variable: str) -> str | None:
    """The first line of a file, else the value of a variable of the environment, else None.

    Raises:
        ConfigError: the file cannot be read, or others than its owner can.
    """
    if path is None:
        return os.environ.get(variable)
    try:
        if path.stat().st_mode & 0o077:
            msg = f"{path}: others can read this password file; run `chmod 600 {path}`"
            raise ConfigError(msg)
        return (path.read_text(encoding="utf-8").splitlines() or [""])[0]
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: the password file cannot be read ({error}); see docs/configuration.md"
        raise ConfigError(msg) from error


def tls_context(config: BrokerConfig) -> ssl.SSLContext:
    """What a connection is encrypted and checked with.

    Raises:
        ConfigError: a certificate cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as error:
        msg = f"{config.ca_file}: no certificates can be read from it ({error.strerror}); name a PEM file in `ca_file`"
        raise ConfigError(msg) from error
    if config.certificate_file:
        try:
            context.load_cert_chain(config.certificate_file, config.key_file)
        except (OSError, ssl.SSLError) as error:
            msg = (
                f"{config.certificate_file}: no certificate with its key can be read from it ({error.strerror}); name "
                "PEM files that belong together in `certificate_file` and `key_file`"
            )
            raise ConfigError(msg) from error
    return context


def _decode_path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value:
        return Path(value)
    msg = f"expected a {kind.__name__.lower()}, got {value!r}"
    raise ValueError(msg)
