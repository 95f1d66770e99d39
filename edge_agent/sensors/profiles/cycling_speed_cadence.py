"""Cycling Speed and Cadence Service 0x1816.

Source: Bluetooth SIG, Cycling Speed and Cadence Service 1.0, sections 3.1 (measurement) and 3.2 (feature); GATT
Specification Supplement, CSC Measurement and CSC Feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.sensors.profiles.cursor import Cursor
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.revolutions import RevolutionRate, Revolutions
from edge_agent.sensors.profiles.uuids import assigned

SERVICE = assigned(0x1816)
MEASUREMENT = assigned(0x2A5B)
FEATURE = assigned(0x2A5C)

WHEEL_COUNT_BITS = 32
CRANK_COUNT_BITS = 16
EVENT_UNITS_PER_S = 1024

# 150 km/h on a 2.1 m wheel, and 300 rpm, are beyond any rider.
FASTEST_WHEEL_PER_S = 20.0
FASTEST_CRANK_PER_S = 5.0

_WHEEL_PRESENT = 0x01
_CRANK_PRESENT = 0x02


@dataclass(frozen=True, slots=True)
class CyclingSpeedCadence:
    """One notification of a speed or cadence sensor.

    Attributes:
        wheel: 32-bit count and time of the last wheel revolution in 1/1024 s; None where the sensor sees no wheel.
        crank: 16-bit count and time of the last crank revolution in 1/1024 s; None where it sees no crank.
    """

    wheel: Revolutions | None
    crank: Revolutions | None


@dataclass(frozen=True, slots=True)
class CyclingSpeedCadenceFeature:
    """What a sensor can do."""

    wheel_revolutions: bool
    crank_revolutions: bool
    several_locations: bool


def parse(data: bytes) -> CyclingSpeedCadence:
    """Decode a CSC Measurement (0x2A5B); reserved flags, and what follows for them, are ignored.

    Raises:
        MalformedPacketError: the bytes are shorter than their flags say.
    """
    cursor = Cursor(MEASUREMENT, data)
    flags = cursor.unsigned("flags", 1)
    return CyclingSpeedCadence(
        wheel=read_wheel(cursor) if flags & _WHEEL_PRESENT else None,
        crank=read_crank(cursor) if flags & _CRANK_PRESENT else None,
    )


def read_wheel(cursor: Cursor) -> Revolutions:
    """Wheel Revolution Data, as power meters send it too."""
    return Revolutions(cursor.unsigned("wheel revolutions", 4), cursor.unsigned("last wheel event time", 2))


def read_crank(cursor: Cursor) -> Revolutions:
    """Crank Revolution Data, as power meters send it too."""
    return Revolutions(cursor.unsigned("crank revolutions", 2), cursor.unsigned("last crank event time", 2))


def encode(measurement: CyclingSpeedCadence) -> bytes:
    """The CSC Measurement that `parse` reads."""
    wheel, crank = measurement.wheel, measurement.crank
    flags = (_WHEEL_PRESENT if wheel else 0) | (_CRANK_PRESENT if crank else 0)
    return bytes([flags]) + write_wheel(wheel) + write_crank(crank)


def write_wheel(wheel: Revolutions | None) -> bytes:
    """What `read_wheel` reads."""
    return b"" if wheel is None else wheel.count.to_bytes(4, "little") + wheel.event_time.to_bytes(2, "little")


def write_crank(crank: Revolutions | None) -> bytes:
    """What `read_crank` reads."""
    return b"" if crank is None else crank.count.to_bytes(2, "little") + crank.event_time.to_bytes(2, "little")


def parse_feature(data: bytes) -> CyclingSpeedCadenceFeature:
    """Decode a CSC Feature (0x2A5C).

    Raises:
        MalformedPacketError: it is shorter than 2 bytes.
    """
    bits = Cursor(FEATURE, data).unsigned("features", 2)
    return CyclingSpeedCadenceFeature(bool(bits & 0x01), bool(bits & 0x02), bool(bits & 0x04))


class WheelReadings:
    """Speed and distance from a wheel."""

    def __init__(self, circumference_m: float, event_units_per_s: int) -> None:
        self._rate = RevolutionRate(
            count_bits=WHEEL_COUNT_BITS, units_per_s=event_units_per_s, fastest_per_s=FASTEST_WHEEL_PER_S
        )
        self._circumference_m = circumference_m
        self._revolutions = 0

    def push(self, wheel: Revolutions, arrival_s: float) -> Iterator[Reading]:
        """What a packet's wheel count adds."""
        turn = self._rate.push(wheel, arrival_s)
        self._revolutions += turn.revolutions
        if turn.per_s is not None:
            yield Reading(Quantity.SPEED, turn.per_s * self._circumference_m, arrival_s)
        yield Reading(Quantity.DISTANCE, self._revolutions * self._circumference_m, arrival_s)


class CrankReadings:
    """Cadence from a crank."""

    def __init__(self) -> None:
        self._rate = RevolutionRate(
            count_bits=CRANK_COUNT_BITS, units_per_s=EVENT_UNITS_PER_S, fastest_per_s=FASTEST_CRANK_PER_S
        )

    def push(self, crank: Revolutions, arrival_s: float) -> Iterator[Reading]:
        """What a packet's crank count adds."""
        turn = self._rate.push(crank, arrival_s)
        if turn.per_s is not None:
            yield Reading(Quantity.CADENCE, turn.per_s * 60, arrival_s)


class CyclingSpeedCadenceDecoder:
    """CSC Measurements to speed, distance and cadence."""

    def __init__(self, wheel_circumference_m: float) -> None:
        self._wheel = WheelReadings(wheel_circumference_m, EVENT_UNITS_PER_S)
        self._crank = CrankReadings()

    def push(self, data: bytes, arrival_s: float) -> list[Reading]:
        """See `readings.Decoder`."""
        measurement = parse(data)
        readings: list[Reading] = []
        if measurement.wheel:
            readings += self._wheel.push(measurement.wheel, arrival_s)
        if measurement.crank:
            readings += self._crank.push(measurement.crank, arrival_s)
        return readings
