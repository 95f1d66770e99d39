"""Heart Rate Service 0x180D.

Source: Bluetooth SIG, Heart Rate Service 1.0, sections 3.1 (measurement), 3.2 (body sensor location) and 3.3 (control
point); GATT Specification Supplement, Heart Rate Measurement, Body Sensor Location and Heart Rate Control Point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from edge_agent.sensors.profiles.cursor import Cursor
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.uuids import assigned

SERVICE = assigned(0x180D)
MEASUREMENT = assigned(0x2A37)
BODY_SENSOR_LOCATION = assigned(0x2A38)
CONTROL_POINT = assigned(0x2A39)

_VALUE_IS_UINT16 = 0x01
_CONTACT_DETECTED = 0x02
_CONTACT_SUPPORTED = 0x04
_ENERGY_PRESENT = 0x08
_RR_PRESENT = 0x10
_RESERVED = 0xE0

_RR_UNITS_PER_S = 1024
_MS_PER_RR_UNIT = 1000 / _RR_UNITS_PER_S


@dataclass(frozen=True, slots=True)
class HeartRateMeasurement:
    """One notification of a heart-rate sensor.

    Attributes:
        heart_rate_bpm: as the sensor says; 0 means that it has none.
        sensor_contact: whether the sensor touches skin, None when it cannot tell.
        energy_expended_kj: since the last reset, None when not sent; 65535 means that or more.
        rr_intervals_ms: beat-to-beat intervals, oldest first; the ones of 0 are left out.
        zero_rr_count: how many intervals of 0 were left out.
    """

    heart_rate_bpm: int
    sensor_contact: bool | None
    energy_expended_kj: int | None
    rr_intervals_ms: tuple[float, ...]
    zero_rr_count: int = 0


class Location(IntEnum):
    """Where a sensor is worn."""

    OTHER = 0
    CHEST = 1
    WRIST = 2
    FINGER = 3
    HAND = 4
    EAR_LOBE = 5
    FOOT = 6

    @classmethod
    def _missing_(cls, _: object) -> Location:
        """What is reserved today."""
        return cls.OTHER


@dataclass(frozen=True, slots=True)
class BodySensorLocation:
    """Where the sensor is meant to be worn.

    Attributes:
        location: as assigned; what is reserved reads as other.
    """

    location: Location


def parse(data: bytes) -> HeartRateMeasurement:
    """Decode a Heart Rate Measurement (0x2A37).

    Reserved flag bits are ignored, as the specification asks, and so is what may follow for them. A set "contact
    detected" bit without the "contact supported" bit says nothing.

    Raises:
        MalformedPacketError: the bytes are shorter or longer than their flags say.
    """
    cursor = Cursor(MEASUREMENT, data)
    flags = cursor.unsigned("flags", 1)
    heart_rate_bpm = cursor.unsigned("heart rate", 2 if flags & _VALUE_IS_UINT16 else 1)
    energy_expended_kj = cursor.unsigned("energy expended", 2) if flags & _ENERGY_PRESENT else None
    rr_units = []
    if flags & _RR_PRESENT:
        # With nothing behind the flag no beat came since the last notification.
        while cursor.left:
            rr_units.append(cursor.unsigned("RR interval", 2))
    elif cursor.left and not flags & _RESERVED:
        cursor.refuse("end", f"{cursor.left} bytes more than the flags promise")
    return HeartRateMeasurement(
        heart_rate_bpm=heart_rate_bpm,
        sensor_contact=bool(flags & _CONTACT_DETECTED) if flags & _CONTACT_SUPPORTED else None,
        energy_expended_kj=energy_expended_kj,
        rr_intervals_ms=tuple(units * _MS_PER_RR_UNIT for units in rr_units if units),
        zero_rr_count=rr_units.count(0),
    )


def encode(measurement: HeartRateMeasurement) -> bytes:
    """The Heart Rate Measurement that `parse` reads; RR intervals are rounded to 1/1024 s."""
    wide = measurement.heart_rate_bpm > 0xFF  # noqa: PLR2004 - what a byte holds
    rr_units = [round(ms / _MS_PER_RR_UNIT) for ms in measurement.rr_intervals_ms] + [0] * measurement.zero_rr_count
    flags = (
        (_VALUE_IS_UINT16 if wide else 0)
        | (_CONTACT_SUPPORTED if measurement.sensor_contact is not None else 0)
        | (_CONTACT_DETECTED if measurement.sensor_contact else 0)
        | (_ENERGY_PRESENT if measurement.energy_expended_kj is not None else 0)
        | (_RR_PRESENT if rr_units else 0)
    )
    packet = bytes([flags]) + measurement.heart_rate_bpm.to_bytes(2 if wide else 1, "little")
    if measurement.energy_expended_kj is not None:
        packet += measurement.energy_expended_kj.to_bytes(2, "little")
    return packet + b"".join(units.to_bytes(2, "little") for units in rr_units)


def readings(measurement: HeartRateMeasurement, arrival_s: float) -> Iterator[Reading]:
    """What a measurement says; a heart rate of 0 is none."""
    if measurement.sensor_contact is not None:
        yield Reading(Quantity.SENSOR_CONTACT, float(measurement.sensor_contact), arrival_s)
    if measurement.heart_rate_bpm:
        yield Reading(Quantity.HEART_RATE, float(measurement.heart_rate_bpm), arrival_s)
    for rr_ms in measurement.rr_intervals_ms:
        yield Reading(Quantity.RR_INTERVAL, rr_ms, arrival_s)
    if measurement.energy_expended_kj is not None:
        yield Reading(Quantity.ENERGY_EXPENDED, float(measurement.energy_expended_kj), arrival_s)


def parse_location(data: bytes) -> BodySensorLocation:
    """Decode a Body Sensor Location (0x2A38).

    Raises:
        MalformedPacketError: it is empty.
    """
    return BodySensorLocation(Location(Cursor(BODY_SENSOR_LOCATION, data).unsigned("body sensor location", 1)))


class Command(IntEnum):
    """What can be asked of the sensor."""

    RESET_ENERGY_EXPENDED = 1


@dataclass(frozen=True, slots=True)
class ControlPoint:
    """A write to the Heart Rate Control Point.

    Attributes:
        command: what is asked.
    """

    command: Command


def parse_control_point(data: bytes) -> ControlPoint:
    """Decode what is written to the Heart Rate Control Point (0x2A39), as a sensor does.

    Raises:
        MalformedPacketError: it is empty, or of a reserved value; a sensor answers that with error 0x80.
    """
    cursor = Cursor(CONTROL_POINT, data)
    number = cursor.unsigned("command", 1)
    if number != Command.RESET_ENERGY_EXPENDED:
        cursor.refuse("command", f"{number} is reserved", offset=0)
    return ControlPoint(Command(number))


def encode_control_point(point: ControlPoint) -> bytes:
    """What to write to the Heart Rate Control Point."""
    return bytes([point.command])
