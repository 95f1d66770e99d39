"""The agent's configuration: one TOML file, checked as a whole before anything starts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from edge_agent.broker import BrokerConfig, read_toml

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


_COUNTS_WHEEL_TURNS = (Role.SPEED_CADENCE, Role.POWER)

# From a child's bicycle of 12 inches, which rolls 935 mm, to a unicycle of 36 inches, 2870 mm. What is given in another
# unit lies outside, and so does a wheel's diameter.
SMALLEST_WHEEL_MM, LARGEST_WHEEL_MM = 800, 3000


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
    LIVE = "live"
    """Every second of it, too, while it lasts."""


class CommandName(StrEnum):
    """What a device can be told to do through the broker."""

    START = "start"
    """Record again after a stop."""
    STOP = "stop"
    """End the session, and record no further one before a start, or before the strap was off."""
    LAP = "lap"
    """Mark the second."""
    SET_TARGET = "set_target"
    """Set the heart rate to come down to after an effort."""
    SYNC_NOW = "sync_now"
    """Send at once what waits, also what the broker has refused."""
    FORGET = "forget"
    """Delete all of an athlete."""


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
        wheel_circumference_mm: way that the wheel rolls in a turn, whose turns the sensor counts; None for 2105 mm.
    """

    role: Role
    address: str | None = None
    name: str | None = None
    athlete: AthleteName | None = None
    bonded: bool = False
    acceleration: Placement | None = None
    wheel_circumference_mm: float | None = None

    def __post_init__(self) -> None:
        _require_address_or_name(self.address, self.name)
        if self.wheel_circumference_mm is not None:
            _require_wheel(self.role, self.wheel_circumference_mm)
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


def _require_wheel(role: Role, circumference_mm: float) -> None:
    if role not in _COUNTS_WHEEL_TURNS:
        msg = (
            f"`wheel_circumference_mm` needs `role` to be {' or '.join(_COUNTS_WHEEL_TURNS)}: no other counts its turns"
        )
        raise ValueError(msg)
    if not SMALLEST_WHEEL_MM <= circumference_mm <= LARGEST_WHEEL_MM:
        msg = (
            f"`wheel_circumference_mm` is {circumference_mm:g}: give the way that the wheel rolls in one turn in mm, "
            f"{SMALLEST_WHEEL_MM} to {LARGEST_WHEEL_MM}"
        )
        raise ValueError(msg)


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


class MqttConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """The broker that summaries go to; without this section nothing is ever sent.

    Attributes:
        share: how much is told.
        athlete_names: whether athletes are called by their names; otherwise by pseudonyms.
        home_assistant: whether to show the device and its athletes' last sessions in Home Assistant.
        commands: what whoever may publish to the device's command topic can have it do.
    """

    share: Share = Share.SUMMARY
    athlete_names: bool = False
    home_assistant: bool = False
    commands: frozenset[CommandName] = frozenset()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.commands and self.share is Share.OFF:
            msg = '`commands` needs another `share` than "off", with which no connection is made'
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
    config = read_toml(path, AgentConfig, keys="docs/configuration.md")
    base = path.absolute().parent
    mqtt = config.mqtt and config.mqtt.with_files_beside(base)
    store = msgspec.structs.replace(config.store, directory=base / config.store.directory.expanduser())
    return msgspec.structs.replace(config, store=store, mqtt=mqtt)
