"""Cycling Power Service 0x1818.

Source: Bluetooth SIG, Cycling Power Service 1.1, sections 3.1 (feature) and 3.2 (measurement); GATT Specification
Supplement, Cycling Power Measurement and Cycling Power Feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.sensors.profiles.cursor import Cursor
from edge_agent.sensors.profiles.cycling_speed_cadence import (
    CrankReadings,
    WheelReadings,
    read_crank,
    read_wheel,
    write_crank,
    write_wheel,
)
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.revolutions import Revolutions
from edge_agent.sensors.profiles.uuids import assigned

SERVICE = assigned(0x1818)
MEASUREMENT = assigned(0x2A63)
FEATURE = assigned(0x2A65)

WHEEL_EVENT_UNITS_PER_S = 2048  # twice as fine as in the Cycling Speed and Cadence Service; the crank's are the same

_BALANCE_PRESENT = 0x0001
_BALANCE_IS_LEFT = 0x0002
_TORQUE_PRESENT = 0x0004
_TORQUE_AT_CRANK = 0x0008
_WHEEL_PRESENT = 0x0010
_CRANK_PRESENT = 0x0020
_FORCES_PRESENT = 0x0040
_TORQUES_PRESENT = 0x0080
_ANGLES_PRESENT = 0x0100
_TOP_DEAD_SPOT_PRESENT = 0x0200
_BOTTOM_DEAD_SPOT_PRESENT = 0x0400
_ENERGY_PRESENT = 0x0800
_OFFSET_COMPENSATED = 0x1000

_BALANCE_UNITS_PER_PERCENT = 2
_WHOLE_BALANCE = 200  # more than all of the power is no share; sensors send 0xFF where they do not know
_TORQUE_UNITS_PER_NM = 32
_ANGLE_BITS = 12


@dataclass(frozen=True, slots=True)
class Extremes:
    """The largest and the smallest value of one revolution.

    Attributes:
        largest: in the unit of the field it stands in.
        smallest: the same.
    """

    largest: float
    smallest: float


@dataclass(frozen=True, slots=True)
class CyclingPower:
    """One notification of a power meter; what is None was not sent.

    Attributes:
        power_w: now; below 0 where the rider is driven.
        balance_percent: one pedal's share of the power; None also where the sensor does not know.
        balance_is_left: that pedal is the left one; otherwise it is not known which.
        accumulated_torque_nm: sum over revolutions, modulo 2048.
        torque_at_crank: the torque is of crank revolutions, otherwise of wheel revolutions.
        wheel: 32-bit count and time of the last wheel revolution in 1/2048 s.
        crank: 16-bit count and time of the last crank revolution in 1/1024 s.
        force_n: extremes.
        torque_nm: extremes.
        angle_deg: where the extremes are, clockwise from the crank's top.
        top_dead_spot_deg: where the top dead spot is.
        bottom_dead_spot_deg: where the bottom dead spot is.
        accumulated_energy_kj: mechanical work since the last reset.
        offset_compensated: the sensor has compensated its offset.
    """

    power_w: int
    balance_percent: float | None = None
    balance_is_left: bool = False
    accumulated_torque_nm: float | None = None
    torque_at_crank: bool = False
    wheel: Revolutions | None = None
    crank: Revolutions | None = None
    force_n: Extremes | None = None
    torque_nm: Extremes | None = None
    angle_deg: Extremes | None = None
    top_dead_spot_deg: int | None = None
    bottom_dead_spot_deg: int | None = None
    accumulated_energy_kj: int | None = None
    offset_compensated: bool = False


def parse(data: bytes) -> CyclingPower:
    """Decode a Cycling Power Measurement (0x2A63); reserved flags, and what follows for them, are ignored.

    Raises:
        MalformedPacketError: the bytes are shorter than their flags say.
    """
    cursor = Cursor(MEASUREMENT, data)
    flags = cursor.unsigned("flags", 2)
    power = cursor.signed("power", 2)
    balance = cursor.unsigned("pedal power balance", 1) if flags & _BALANCE_PRESENT else None
    torque = cursor.unsigned("accumulated torque", 2) if flags & _TORQUE_PRESENT else None
    return CyclingPower(
        power_w=power,
        balance_percent=None if balance is None or balance > _WHOLE_BALANCE else balance / _BALANCE_UNITS_PER_PERCENT,
        balance_is_left=bool(flags & _BALANCE_IS_LEFT),
        accumulated_torque_nm=None if torque is None else torque / _TORQUE_UNITS_PER_NM,
        torque_at_crank=bool(flags & _TORQUE_AT_CRANK),
        wheel=read_wheel(cursor) if flags & _WHEEL_PRESENT else None,
        crank=read_crank(cursor) if flags & _CRANK_PRESENT else None,
        force_n=_read_extremes(cursor, "force", 1) if flags & _FORCES_PRESENT else None,
        torque_nm=_read_extremes(cursor, "torque", _TORQUE_UNITS_PER_NM) if flags & _TORQUES_PRESENT else None,
        angle_deg=_read_angles(cursor) if flags & _ANGLES_PRESENT else None,
        top_dead_spot_deg=cursor.unsigned("top dead spot angle", 2) if flags & _TOP_DEAD_SPOT_PRESENT else None,
        bottom_dead_spot_deg=cursor.unsigned("bottom dead spot angle", 2)
        if flags & _BOTTOM_DEAD_SPOT_PRESENT
        else None,
        accumulated_energy_kj=cursor.unsigned("accumulated energy", 2) if flags & _ENERGY_PRESENT else None,
        offset_compensated=bool(flags & _OFFSET_COMPENSATED),
    )


def _read_extremes(cursor: Cursor, of: str, units: int) -> Extremes:
    largest = cursor.signed(f"largest {of}", 2)
    return Extremes(largest / units, cursor.signed(f"smallest {of}", 2) / units)


def _read_angles(cursor: Cursor) -> Extremes:
    """Two numbers of 12 bits in three bytes, the largest in the lower ones."""
    both = cursor.unsigned("extreme angles", 3)
    return Extremes(both & ((1 << _ANGLE_BITS) - 1), both >> _ANGLE_BITS)


def encode(value: CyclingPower) -> bytes:
    """The Cycling Power Measurement that `parse` reads, rounded to its units."""
    flags = (
        (_BALANCE_IS_LEFT if value.balance_is_left else 0)
        | (_TORQUE_AT_CRANK if value.torque_at_crank else 0)
        | (_OFFSET_COMPENSATED if value.offset_compensated else 0)
    )
    packet = value.power_w.to_bytes(2, "little", signed=True)
    for bit, field in (
        (_BALANCE_PRESENT, _unsigned(value.balance_percent, 1, _BALANCE_UNITS_PER_PERCENT)),
        (_TORQUE_PRESENT, _unsigned(value.accumulated_torque_nm, 2, _TORQUE_UNITS_PER_NM)),
        (_WHEEL_PRESENT, write_wheel(value.wheel)),
        (_CRANK_PRESENT, write_crank(value.crank)),
        (_FORCES_PRESENT, _write_extremes(value.force_n, 1)),
        (_TORQUES_PRESENT, _write_extremes(value.torque_nm, _TORQUE_UNITS_PER_NM)),
        (_ANGLES_PRESENT, _write_angles(value.angle_deg)),
        (_TOP_DEAD_SPOT_PRESENT, _unsigned(value.top_dead_spot_deg, 2)),
        (_BOTTOM_DEAD_SPOT_PRESENT, _unsigned(value.bottom_dead_spot_deg, 2)),
        (_ENERGY_PRESENT, _unsigned(value.accumulated_energy_kj, 2)),
    ):
        flags |= bit if field else 0
        packet += field
    return flags.to_bytes(2, "little") + packet


def _unsigned(value: float | None, size: int, units: int = 1) -> bytes:
    return b"" if value is None else round(value * units).to_bytes(size, "little")


def _write_extremes(extremes: Extremes | None, units: int) -> bytes:
    numbers = () if extremes is None else (extremes.largest, extremes.smallest)
    return b"".join(round(number * units).to_bytes(2, "little", signed=True) for number in numbers)


def _write_angles(extremes: Extremes | None) -> bytes:
    if extremes is None:
        return b""
    return (round(extremes.smallest) << _ANGLE_BITS | round(extremes.largest)).to_bytes(3, "little")


class Feature(StrEnum):
    """What a power meter can do, in the order of its bits from 0 on."""

    PEDAL_POWER_BALANCE = "pedal power balance"
    ACCUMULATED_TORQUE = "accumulated torque"
    WHEEL_REVOLUTIONS = "wheel revolutions"
    CRANK_REVOLUTIONS = "crank revolutions"
    EXTREME_MAGNITUDES = "extreme magnitudes"
    EXTREME_ANGLES = "extreme angles"
    DEAD_SPOT_ANGLES = "dead spot angles"
    ACCUMULATED_ENERGY = "accumulated energy"
    OFFSET_COMPENSATION_INDICATOR = "offset compensation indicator"
    OFFSET_COMPENSATION = "offset compensation"
    CONTENT_MASKING = "content masking"
    SEVERAL_LOCATIONS = "several locations"
    CRANK_LENGTH_ADJUSTMENT = "crank length adjustment"
    CHAIN_LENGTH_ADJUSTMENT = "chain length adjustment"
    CHAIN_WEIGHT_ADJUSTMENT = "chain weight adjustment"
    SPAN_LENGTH_ADJUSTMENT = "span length adjustment"
    TORQUE_BASED = "torque based"
    MEASUREMENT_DIRECTION = "measurement direction"
    FACTORY_CALIBRATION_DATE = "factory calibration date"
    ENHANCED_OFFSET_COMPENSATION = "enhanced offset compensation"


@dataclass(frozen=True, slots=True)
class CyclingPowerFeature:
    """What a power meter can do.

    Attributes:
        features: in the order of their bits.
        in_distributed_system: whether it may be one of several sensors of one bicycle; None when it does not say.
    """

    features: tuple[Feature, ...]
    in_distributed_system: bool | None


_DISTRIBUTED_SHIFT = 20
_DISTRIBUTED = {1: False, 2: True}


def parse_feature(data: bytes) -> CyclingPowerFeature:
    """Decode a Cycling Power Feature (0x2A65).

    Raises:
        MalformedPacketError: it is shorter than 4 bytes.
    """
    bits = Cursor(FEATURE, data).unsigned("features", 4)
    return CyclingPowerFeature(
        tuple(feature for bit, feature in enumerate(Feature) if bits >> bit & 1),
        _DISTRIBUTED.get(bits >> _DISTRIBUTED_SHIFT & 0b11),
    )


class CyclingPowerDecoder:
    """Cycling Power Measurements to power, work, speed, distance and cadence."""

    def __init__(self, wheel_circumference_m: float) -> None:
        self._wheel = WheelReadings(wheel_circumference_m, WHEEL_EVENT_UNITS_PER_S)
        self._crank = CrankReadings()

    def push(self, data: bytes, arrival_s: float) -> list[Reading]:
        """See `readings.Decoder`."""
        measurement = parse(data)
        readings = [Reading(Quantity.POWER, float(measurement.power_w), arrival_s)]
        if measurement.accumulated_energy_kj is not None:
            readings.append(Reading(Quantity.WORK, float(measurement.accumulated_energy_kj), arrival_s))
        if measurement.wheel:
            readings += self._wheel.push(measurement.wheel, arrival_s)
        if measurement.crank:
            readings += self._crank.push(measurement.crank, arrival_s)
        return readings
