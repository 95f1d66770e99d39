"""Fitness Machine Service 0x1826: what a machine measures and what it can be set to.

Source: Bluetooth SIG, Fitness Machine Service 1.0.1, section 4.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.sensors.profiles.cursor import Cursor
from edge_agent.sensors.profiles.uuids import assigned

FEATURE = assigned(0x2ACC)


class Feature(StrEnum):
    """What a machine can measure, in the order of its bits from 0 on."""

    AVERAGE_SPEED = "average speed"
    CADENCE = "cadence"
    TOTAL_DISTANCE = "total distance"
    INCLINATION = "inclination"
    ELEVATION_GAIN = "elevation gain"
    PACE = "pace"
    STEP_COUNT = "step count"
    RESISTANCE_LEVEL = "resistance level"
    STRIDE_COUNT = "stride count"
    EXPENDED_ENERGY = "expended energy"
    HEART_RATE = "heart rate"
    METABOLIC_EQUIVALENT = "metabolic equivalent"
    ELAPSED_TIME = "elapsed time"
    REMAINING_TIME = "remaining time"
    POWER = "power"
    FORCE_ON_BELT = "force on belt"
    USER_DATA_RETENTION = "user data retention"


class Target(StrEnum):
    """What a machine can be set to, in the order of its bits from 0 on."""

    SPEED = "speed"
    INCLINATION = "inclination"
    RESISTANCE = "resistance"
    POWER = "power"
    HEART_RATE = "heart rate"
    EXPENDED_ENERGY = "expended energy"
    STEPS = "steps"
    STRIDES = "strides"
    DISTANCE = "distance"
    TRAINING_TIME = "training time"
    TIME_IN_TWO_ZONES = "time in two heart rate zones"
    TIME_IN_THREE_ZONES = "time in three heart rate zones"
    TIME_IN_FIVE_ZONES = "time in five heart rate zones"
    BIKE_SIMULATION = "indoor bike simulation"
    WHEEL_CIRCUMFERENCE = "wheel circumference"
    SPIN_DOWN = "spin down"
    CADENCE = "cadence"


@dataclass(frozen=True, slots=True)
class FitnessMachineFeature:
    """What a machine can do.

    Attributes:
        features: what it measures.
        targets: what it can be set to.
    """

    features: tuple[Feature, ...]
    targets: tuple[Target, ...]


def parse(data: bytes) -> FitnessMachineFeature:
    """Decode a Fitness Machine Feature (0x2ACC).

    Raises:
        MalformedPacketError: it is shorter than 8 bytes.
    """
    cursor = Cursor(FEATURE, data)
    features, targets = cursor.unsigned("features", 4), cursor.unsigned("target settings", 4)
    return FitnessMachineFeature(
        tuple(feature for bit, feature in enumerate(Feature) if features >> bit & 1),
        tuple(target for bit, target in enumerate(Target) if targets >> bit & 1),
    )
