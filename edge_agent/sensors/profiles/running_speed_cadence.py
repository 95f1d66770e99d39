"""Running Speed and Cadence Service 0x1814.

Source: Bluetooth SIG, Running Speed and Cadence Service 1.0, sections 3.1 (measurement) and 3.2 (feature); GATT
Specification Supplement, RSC Measurement and RSC Feature.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.sensors.profiles.cursor import Cursor
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.uuids import assigned

SERVICE = assigned(0x1814)
MEASUREMENT = assigned(0x2A53)
FEATURE = assigned(0x2A54)

_STRIDE_LENGTH_PRESENT = 0x01
_DISTANCE_PRESENT = 0x02
_RUNNING = 0x04

_SPEED_UNITS_PER_MPS = 256
_STRIDE_UNITS_PER_M = 100
_DISTANCE_UNITS_PER_M = 10

# The specification gives the cadence as 1/min and leaves open of what: most pods count steps, some the one foot they
# are on. Fewer than 110 steps a minute that are each longer than 1 m is no human gait (a walker's are shorter, a runner
# makes 140 and more), so that cadence is of one foot.
_FEWEST_LONG_STEPS_PER_MIN = 110
_LONG_STEP_M = 1.0


@dataclass(frozen=True, slots=True)
class RunningSpeedCadence:
    """One notification of a foot pod.

    Attributes:
        speed_mps: now.
        cadence_per_min: as sent; of steps or, from some sensors, of strides (see `step_rate_spm`).
        stride_length_m: None when not sent.
        total_distance_m: None when not sent.
        running: whether the sensor takes it for running rather than walking.
    """

    speed_mps: float
    cadence_per_min: int
    stride_length_m: float | None
    total_distance_m: float | None
    running: bool

    @property
    def step_rate_spm(self) -> int:
        """Steps of both feet per minute."""
        step_m = 60 * self.speed_mps / self.cadence_per_min if self.cadence_per_min else 0.0
        one_foot = self.cadence_per_min < _FEWEST_LONG_STEPS_PER_MIN and step_m > _LONG_STEP_M
        return self.cadence_per_min * 2 if one_foot else self.cadence_per_min


@dataclass(frozen=True, slots=True)
class RunningSpeedCadenceFeature:
    """What a sensor can do."""

    stride_length: bool
    total_distance: bool
    walking_or_running: bool
    calibration: bool
    several_locations: bool


def parse(data: bytes) -> RunningSpeedCadence:
    """Decode an RSC Measurement (0x2A53); reserved flags, and what follows for them, are ignored.

    Raises:
        MalformedPacketError: the bytes are shorter than their flags say.
    """
    cursor = Cursor(MEASUREMENT, data)
    flags = cursor.unsigned("flags", 1)
    speed = cursor.unsigned("speed", 2)
    cadence = cursor.unsigned("cadence", 1)
    stride = cursor.unsigned("stride length", 2) if flags & _STRIDE_LENGTH_PRESENT else None
    distance = cursor.unsigned("total distance", 4) if flags & _DISTANCE_PRESENT else None
    return RunningSpeedCadence(
        speed_mps=speed / _SPEED_UNITS_PER_MPS,
        cadence_per_min=cadence,
        stride_length_m=None if stride is None else stride / _STRIDE_UNITS_PER_M,
        total_distance_m=None if distance is None else distance / _DISTANCE_UNITS_PER_M,
        running=bool(flags & _RUNNING),
    )


def encode(measurement: RunningSpeedCadence) -> bytes:
    """The RSC Measurement that `parse` reads, rounded to its units."""
    flags = _RUNNING if measurement.running else 0
    packet = round(measurement.speed_mps * _SPEED_UNITS_PER_MPS).to_bytes(2, "little")
    packet += bytes([measurement.cadence_per_min])
    if measurement.stride_length_m is not None:
        flags |= _STRIDE_LENGTH_PRESENT
        packet += round(measurement.stride_length_m * _STRIDE_UNITS_PER_M).to_bytes(2, "little")
    if measurement.total_distance_m is not None:
        flags |= _DISTANCE_PRESENT
        packet += round(measurement.total_distance_m * _DISTANCE_UNITS_PER_M).to_bytes(4, "little")
    return bytes([flags]) + packet


def parse_feature(data: bytes) -> RunningSpeedCadenceFeature:
    """Decode an RSC Feature (0x2A54).

    Raises:
        MalformedPacketError: it is shorter than 2 bytes.
    """
    bits = Cursor(FEATURE, data).unsigned("features", 2)
    return RunningSpeedCadenceFeature(*(bool(bits >> bit & 1) for bit in range(5)))


def readings(measurement: RunningSpeedCadence, arrival_s: float) -> Iterator[Reading]:
    """What a measurement says."""
    yield Reading(Quantity.SPEED, measurement.speed_mps, arrival_s)
    yield Reading(Quantity.STEP_RATE, float(measurement.step_rate_spm), arrival_s)
    if measurement.stride_length_m is not None:
        yield Reading(Quantity.STRIDE_LENGTH, measurement.stride_length_m, arrival_s)
    if measurement.total_distance_m is not None:
        yield Reading(Quantity.DISTANCE, measurement.total_distance_m, arrival_s)
