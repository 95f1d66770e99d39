"""The agent's configuration: one TOML file, checked as a whole before anything starts."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from edge_agent.errors import ConfigError

PASSWORD_VARIABLE = "HEARTLINE_MQTT_PASSWORD"  # noqa: S105 - the name of one

_MQTT_FILES = ("password_file", "ca_file", "certificate_file", "key_file")

AthleteName = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class Role(StrEnum):
    """What a sensor is to the agent: which service it has to have, and which of its measurements are taken."""

    HEART_RATE = "heart_rate"
    TREADMILL = "treadmill"
    BIKE = "bike"
    ROWER = "rower"
    CROSS_TRAINER = "cross_trainer"
    FOOT_POD = "foot_pod"
    SPEED_CADENCE = "speed_cadence"
    POWER = "power"


class Placement(StrEnum):
    """Where a sensor is worn whose acceleration is taken."""

    CHEST = "chest"
    WRIST = "wrist"


class Share(StrEnum):
    """How much is told to the broker; each level tells what the ones before it tell, and more."""

    OFF = "off"
    """Nothing; no connection is made."""
    SUMMARY = "summary"
    """A summary of each session, when it is over."""
    EVENTS = "summary+events"
    """What happened in it, too."""


class StrapConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The short form of one heart-rate sensor, that of `[athlete]`.

    Attributes:
        address: its Bluetooth address, as `edge-agent scan` prints it.
        name: its advertised name; instead of the address or together with it.
        acceleration: as `SensorConfig` has it.
    """

    address: str | None = None
    name: str | None = None
    acceleration: Placement | None = None

    def __post_init__(self) -> None:
        _require_address_or_name(self.address, self.name)


class SensorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A sensor that is claimed: connected to and listened to; any other is left alone.

    Attributes:
        role: what it is.
        address: its Bluetooth address; for a bonded one its identity, which stays when its address changes.
        name: its advertised name; instead of the address or together with it.
        athlete: whose body or machine it is on; None for the one of `[athlete]`.
        bonded: whether the link has to be encrypted with a bond that `edge-agent pair --bond` made.
        acceleration: where a heart-rate sensor is worn that is to stream its acceleration, too, which costs its
            battery; None leaves that off.
    """

    role: Role
    address: str | None = None
    name: str | None = None
    athlete: AthleteName | None = None
    bonded: bool = False
    acceleration: Placement | None = None

    def __post_init__(self) -> None:
        _require_address_or_name(self.address, self.name)
        if self.bonded and not self.address:
            msg = "`bonded` needs `address`: a bond is with one sensor, a name can be anybody's"
            raise ValueError(msg)
        if self.acceleration is not None and self.role is not Role.HEART_RATE:
            msg = '`acceleration` needs `role = "heart_rate"`: straps and armbands alone stream it'
            raise ValueError(msg)

    def matches(self, address: str, name: str | None) -> bool:
        """Whether a sensor that shows itself like this is the one that is meant."""
        return (self.address is None or self.address.casefold() == address.casefold()) and (
            self.name is None or self.name == name
        )


def _require_address_or_name(address: str | None, name: str | None) -> None:
    if not (address or name):
        msg = "needs `address` or `name` (see `edge-agent scan`)"
        raise ValueError(msg)


class AthleteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who wears the sensors that name no other athlete.

    Attributes:
        name: label of the athlete in the record and in summaries.
    """

    name: AthleteName = "athlete"


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
        password_file: file whose first line is the password, readable by its owner alone; without it, the environment
            variable `HEARTLINE_MQTT_PASSWORD` is the password, if there is one.
        tls: whether to encrypt and to check the broker's certificate.
        ca_file: certificate authority of the broker, instead of the system's own.
        certificate_file: this device's own certificate, where the broker asks for one.
        key_file: key of that certificate; None where it is in the same file.
        check_server_name: whether the broker's certificate has to carry the name in `host`.
        topic_prefix: first part of every topic.
        share: how much is told.
        athlete_names: whether athletes are called by their names; otherwise by pseudonyms.
        home_assistant: whether to show the device and its athletes' last sessions in Home Assistant.
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
    topic_prefix: Annotated[str, msgspec.Meta(pattern="^[^#+/]+(/[^#+/]+)*$")] = "heartline"
    share: Share = Share.SUMMARY
    athlete_names: bool = False
    home_assistant: bool = False

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


class AgentConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of it.

    Attributes:
        store: where the record is kept.
        strap: one heart-rate sensor in short.
        sensors: every other one; the order says who wins where two give the same quantity.
        athlete: who wears what names nobody.
        mqtt: the broker.
    """

    store: StoreConfig
    strap: StrapConfig | None = None
    sensors: tuple[SensorConfig, ...] = ()
    athlete: AthleteConfig = AthleteConfig()
    mqtt: MqttConfig | None = None

    def __post_init__(self) -> None:
        addresses = [sensor.address.casefold() for sensor in self.listed_sensors if sensor.address]
        if twice := {address for address in addresses if addresses.count(address) > 1}:
            msg = f"sensor {min(twice).upper()} is listed twice; one sensor has one role"
            raise ValueError(msg)

    @property
    def listed_sensors(self) -> tuple[SensorConfig, ...]:
        """The sensors of this file in order of preference, the short form first."""
        if self.strap is None:
            return self.sensors
        strap = SensorConfig(Role.HEART_RATE, self.strap.address, self.strap.name, acceleration=self.strap.acceleration)
        return (strap, *self.sensors)


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
        **{key: base / path for key in _MQTT_FILES if (path := getattr(config.mqtt, key)) is not None},
    )
    store = msgspec.structs.replace(config.store, directory=base / config.store.directory.expanduser())
    return msgspec.structs.replace(config, store=store, mqtt=mqtt)


def read_password(config: MqttConfig) -> str | None:
    """The password to log in with: the first line of its file, else that of the environment, else None.

    Raises:
        ConfigError: the file cannot be read, or others than its owner can.
    """
    path = config.password_file
    if path is None:
        return os.environ.get(PASSWORD_VARIABLE)
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
