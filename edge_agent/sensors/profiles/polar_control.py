"""Polar's measurement service, its control point: what a sensor can stream, and asking for it.

A client subscribes to control point and data, asks for the settings of a measurement, starts it with one of each, and
keeps the factor that the answer may carry.

Source: Polar Measurement Data specification and the behaviour of Polar's open SDK (H10, Verity Sense, OH1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from struct import unpack

from edge_agent.sensors.profiles.cursor import Cursor

SERVICE = "fb005c80-02e7-f387-1cad-8acd2d8df0c8"
CONTROL_POINT = "fb005c81-02e7-f387-1cad-8acd2d8df0c8"

_FEATURES = 0x0F  # what a value begins with that is read
_RESPONSE = 0xF0  # what an indication begins with that answers a command
_STOPPED = 0x01  # and one that tells of a measurement's end

_LARGEST_FACTOR = 1000.0  # sensors have below 1; what is far above is no factor, and would overflow what is computed

_TYPE_BITS = 0x3F  # the two above them tell online from offline measurements


class Measurement(IntEnum):
    """What can be streamed."""

    ECG = 0
    PPG = 1
    ACCELERATION = 2
    PP_INTERVAL = 3
    GYROSCOPE = 5
    MAGNETOMETER = 6
    SKIN_TEMPERATURE = 7
    SDK_MODE = 9
    LOCATION = 10
    PRESSURE = 11
    TEMPERATURE = 12
    OFFLINE_RECORDING = 13
    OFFLINE_HEART_RATE = 14


_MEASUREMENTS = {measurement.value: measurement for measurement in Measurement}


class Command(IntEnum):
    """What can be asked."""

    GET_SETTINGS = 1
    START = 2
    STOP = 3
    GET_SDK_MODE_SETTINGS = 4
    GET_STATUS = 5
    GET_SDK_MODE_STATUS = 6


_COMMANDS = {command.value: command for command in Command}


class Status(IntEnum):
    """How a command ended."""

    SUCCESS = 0
    INVALID_COMMAND = 1
    INVALID_MEASUREMENT = 2
    NOT_SUPPORTED = 3
    INVALID_LENGTH = 4
    INVALID_PARAMETER = 5
    ALREADY_IN_STATE = 6
    INVALID_RESOLUTION = 7
    INVALID_SAMPLE_RATE = 8
    INVALID_RANGE = 9
    INVALID_MTU = 10
    INVALID_CHANNELS = 11
    INVALID_STATE = 12
    IN_CHARGER = 13
    DISK_FULL = 14
    UNKNOWN = 255
    """One that is not known here."""

    @classmethod
    def _missing_(cls, _: object) -> Status:
        """What has no name yet."""
        return cls.UNKNOWN


class Setting(IntEnum):
    """A property of a measurement."""

    SAMPLE_RATE_HZ = 0
    RESOLUTION_BITS = 1
    RANGE = 2
    """In the unit of the measurement, g for acceleration."""
    RANGE_MILLIUNIT = 3
    CHANNELS = 4
    FACTOR = 5
    """What to multiply samples with; a float's bits."""


_SETTINGS = {setting.value: setting for setting in Setting}
_SETTING_BYTES = {
    Setting.SAMPLE_RATE_HZ: 2,
    Setting.RESOLUTION_BITS: 2,
    Setting.RANGE: 2,
    Setting.RANGE_MILLIUNIT: 4,
    Setting.CHANNELS: 1,
    Setting.FACTOR: 4,
}


@dataclass(frozen=True, slots=True)
class Features:
    """What a sensor can stream.

    Attributes:
        measurements: those known here.
    """

    measurements: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a command.

    Attributes:
        command: which it answers.
        measurement: of what, None where it is not known here.
        status: how it ended.
        more: the parameters go on in the next response.
        parameters: what comes with it; settings, when they were asked for or a measurement was started.
    """

    command: Command
    measurement: Measurement | None
    status: Status
    more: bool
    parameters: bytes


@dataclass(frozen=True, slots=True)
class Stopped:
    """Measurements that the sensor has ended by itself.

    Attributes:
        measurements: those known here.
    """

    measurements: tuple[Measurement, ...]


def parse(data: bytes) -> Features | Response | Stopped:
    """Decode a value of the control point, read or indicated.

    Raises:
        MalformedPacketError: it is neither features, nor a response, nor a stop, or ends too early.
    """
    cursor = Cursor(CONTROL_POINT, data)
    kind = cursor.unsigned("kind", 1)
    if kind not in (_FEATURES, _RESPONSE, _STOPPED):
        cursor.refuse("kind", f"0x{kind:02x} is neither features, nor a response, nor a stop", offset=0)
    if kind == _FEATURES:
        bits = cursor.unsigned("features", 2)
        return Features(tuple(measurement for measurement in Measurement if bits >> measurement & 1))
    if kind == _STOPPED:
        return Stopped(tuple(_MEASUREMENTS[byte] for byte in cursor.rest() if byte in _MEASUREMENTS))
    return _parse_response(cursor)


def _parse_response(cursor: Cursor) -> Response:
    command = cursor.unsigned("command", 1)
    if command not in _COMMANDS:
        cursor.refuse("command", f"{command} is not known", offset=1)
    measurement = cursor.unsigned("measurement", 1)
    status = Status(cursor.unsigned("status", 1))
    rest = cursor.rest() if status is Status.SUCCESS else b""
    return Response(
        _COMMANDS[command],
        _MEASUREMENTS.get(measurement & _TYPE_BITS),
        status,
        more=bool(rest and rest[0]),
        parameters=rest[1:],
    )


def parse_settings(parameters: bytes) -> dict[Setting, tuple[int, ...]]:
    """The settings that come with responses, put together where they were split.

    Returns:
        the values that each setting can take, or has.

    Raises:
        MalformedPacketError: they end too early, or one of them is not known, whose size is then not known either.
    """
    cursor = Cursor(CONTROL_POINT, parameters)
    settings: dict[Setting, tuple[int, ...]] = {}
    while cursor.left:
        kind = cursor.unsigned("setting", 1)
        if kind not in _SETTINGS:
            cursor.refuse("setting", f"{kind} is not known", offset=cursor.offset - 1)
        setting = _SETTINGS[kind]
        count = cursor.unsigned("number of values", 1)
        settings[setting] = tuple(cursor.unsigned(setting.name.lower(), _SETTING_BYTES[setting]) for _ in range(count))
    return settings


def encode_settings(settings: Mapping[Setting, tuple[int, ...]]) -> bytes:
    """The settings that `parse_settings` reads."""
    return b"".join(
        bytes([setting, len(values)]) + b"".join(value.to_bytes(_SETTING_BYTES[setting], "little") for value in values)
        for setting, values in settings.items()
    )


def factor(settings: Mapping[Setting, tuple[int, ...]]) -> float:
    """What to multiply samples with, 1 where the sensor says nothing, or nothing that could be."""
    bits = settings.get(Setting.FACTOR)
    if not bits:
        return 1.0
    value = float(unpack("<f", bits[0].to_bytes(4, "little"))[0])
    return value if 0 < value <= _LARGEST_FACTOR else 1.0


def encode_features(features: Features) -> bytes:
    """The features that `parse` reads."""
    bits = sum(1 << measurement for measurement in features.measurements)
    return bytes([_FEATURES]) + bits.to_bytes(2, "little")


def encode_response(response: Response, measurement: Measurement) -> bytes:
    """The response that `parse` reads."""
    return bytes([_RESPONSE, response.command, measurement, response.status, response.more]) + response.parameters


def get_settings(measurement: Measurement) -> bytes:
    """The command that asks what a measurement can be set to."""
    return bytes([Command.GET_SETTINGS, measurement])


def start(measurement: Measurement, settings: Mapping[Setting, int]) -> bytes:
    """The command that starts a measurement.

    Args:
        measurement: what to stream.
        settings: one value of each setting that the sensor has offered.
    """
    chosen = {setting: (value,) for setting, value in settings.items()}
    return bytes([Command.START, measurement]) + encode_settings(chosen)


def stop(measurement: Measurement) -> bytes:
    """The command that stops a measurement."""
    return bytes([Command.STOP, measurement])
