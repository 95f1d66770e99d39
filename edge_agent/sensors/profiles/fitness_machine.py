"""Fitness Machine Service 0x1826: treadmills, cross trainers, rowers and indoor bikes.

Source: Bluetooth SIG, Fitness Machine Service 1.0.1, sections 4.4 (treadmill), 4.5 (cross trainer), 4.8
(rower), 4.9 (indoor bike) and 4.19 (records in several notifications); GATT Specification Supplement, Treadmill Data,
Cross Trainer Data, Rower Data and Indoor Bike Data, for formats and units.

Two fields have changed their size. Resistance Level was a sint16 in the first version and is a uint8 in today's
Supplement; Pace of a treadmill was a uint8 in 0.1 km/min and is a uint16 in s per 500 m. Machines of both sorts are
sold, and what follows the field would be read from the wrong place, so the length of the packet decides: the layout
that fits it exactly or, where a vendor's own bytes follow, the one that most machines use.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from edge_agent.sensors.profiles.flagged_record import Field, Group, Layout
from edge_agent.sensors.profiles.uuids import assigned

SERVICE = assigned(0x1826)
TREADMILL = assigned(0x2ACD)
CROSS_TRAINER = assigned(0x2ACE)
ROWER = assigned(0x2AD1)
INDOOR_BIKE = assigned(0x2AD2)

# The wire's units to the metre.
_PER_MPS = 360  # .01 km/h
_PER_GRADE = 1000  # .1 %

_NO_SINT16 = 0x7FFF
_NO_UINT16 = 0xFFFF
_NO_UINT8 = 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineData:
    """What every machine may send; what is None was not sent, or is not available.

    Attributes:
        more_data: the record goes on in the next notification.
        total_distance_m: since the session began, as all totals and averages.
        power_w: now.
        total_energy_kcal: what the user has burnt, by the machine's estimate.
        energy_per_hour_kcal: the rate, averaged.
        energy_per_minute_kcal: the rate, averaged.
        heart_rate_bpm: of the user.
        metabolic_equivalent: rate of energy expended, in units of that at rest.
        elapsed_time_s: since the session began.
        remaining_time_s: until its chosen end.
    """

    more_data: bool = False
    total_distance_m: int | None = None
    power_w: int | None = None
    total_energy_kcal: int | None = None
    energy_per_hour_kcal: int | None = None
    energy_per_minute_kcal: int | None = None
    heart_rate_bpm: int | None = None
    metabolic_equivalent: float | None = None
    elapsed_time_s: int | None = None
    remaining_time_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TreadmillData(MachineData):
    """One notification of a treadmill.

    Attributes:
        speed_mps: of the belt.
        grade: rise over run as a fraction, uphill positive.
        ramp_angle_deg: as set.
        pace_s_per_500m: the speed once more.
        pace_km_per_min: the same, from machines of the older layout.
        force_on_belt_n: by the user's steps, positive where they speed the belt up.
    """

    speed_mps: float | None = None
    average_speed_mps: float | None = None
    grade: float | None = None
    ramp_angle_deg: float | None = None
    elevation_gain_m: float | None = None
    elevation_loss_m: float | None = None
    pace_s_per_500m: int | None = None
    average_pace_s_per_500m: int | None = None
    pace_km_per_min: float | None = None
    average_pace_km_per_min: float | None = None
    force_on_belt_n: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossTrainerData(MachineData):
    """One notification of a cross trainer.

    Attributes:
        backward: the user moves backward.
        stride_count: pairs of steps.
        resistance_level: on the machine's own scale.
    """

    backward: bool = False
    speed_mps: float | None = None
    average_speed_mps: float | None = None
    step_rate_spm: int | None = None
    average_step_rate_spm: int | None = None
    stride_count: float | None = None
    elevation_gain_m: int | None = None
    elevation_loss_m: int | None = None
    grade: float | None = None
    ramp_angle_deg: float | None = None
    resistance_level: int | None = None
    average_power_w: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowerData(MachineData):
    """One notification of a rower.

    Attributes:
        stroke_rate_spm: strokes per minute.
        resistance_level: on the machine's own scale.
    """

    stroke_rate_spm: float | None = None
    stroke_count: int | None = None
    average_stroke_rate_spm: float | None = None
    pace_s_per_500m: int | None = None
    average_pace_s_per_500m: int | None = None
    average_power_w: int | None = None
    resistance_level: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IndoorBikeData(MachineData):
    """One notification of an indoor bike or a trainer.

    Attributes:
        cadence_rpm: of the cranks.
        resistance_level: on the machine's own scale.
    """

    speed_mps: float | None = None
    average_speed_mps: float | None = None
    cadence_rpm: float | None = None
    average_cadence_rpm: float | None = None
    resistance_level: int | None = None
    average_power_w: int | None = None


_SPEED = Field("speed_mps", 2, per_unit=_PER_MPS)
_AVERAGE_SPEED = Field("average_speed_mps", 2, per_unit=_PER_MPS)
_DISTANCE = Field("total_distance_m", 3)
_INCLINATION = (
    Field("grade", 2, signed=True, per_unit=_PER_GRADE, unavailable=_NO_SINT16),
    Field("ramp_angle_deg", 2, signed=True, per_unit=10, unavailable=_NO_SINT16),
)
_PACE = Field("pace_s_per_500m", 2)
_AVERAGE_PACE = Field("average_pace_s_per_500m", 2)
_RESISTANCE = Field("resistance_level", 2, signed=True)
_RESISTANCE_IN_A_BYTE = Field("resistance_level", 1)
_POWER = Field("power_w", 2, signed=True)
_AVERAGE_POWER = Field("average_power_w", 2, signed=True)
_ENERGY = (
    Field("total_energy_kcal", 2, unavailable=_NO_UINT16),
    Field("energy_per_hour_kcal", 2, unavailable=_NO_UINT16),
    Field("energy_per_minute_kcal", 1, unavailable=_NO_UINT8),
)


def _from_energy(bit: int) -> tuple[Group, ...]:
    """The fields that every machine ends with."""
    return (
        Group(bit, _ENERGY),
        Group(bit + 1, (Field("heart_rate_bpm", 1),)),
        Group(bit + 2, (Field("metabolic_equivalent", 1, per_unit=10),)),
        Group(bit + 3, (Field("elapsed_time_s", 2),)),
        Group(bit + 4, (Field("remaining_time_s", 2),)),
    )


def _treadmill(*pace: Field) -> Layout:
    return Layout(
        TREADMILL,
        2,
        (
            Group(0, (_SPEED,)),
            Group(1, (_AVERAGE_SPEED,)),
            Group(2, (_DISTANCE,)),
            Group(3, _INCLINATION),
            Group(4, (Field("elevation_gain_m", 2, per_unit=10), Field("elevation_loss_m", 2, per_unit=10))),
            *(Group(bit, (field,)) for bit, field in enumerate(pace, start=5)),
            *_from_energy(7),
            Group(
                12,
                (
                    Field("force_on_belt_n", 2, signed=True, unavailable=_NO_SINT16),
                    Field("power_w", 2, signed=True, unavailable=_NO_SINT16),
                ),
            ),
        ),
    )


def _cross_trainer(resistance: Field) -> Layout:
    return Layout(
        CROSS_TRAINER,
        3,
        (
            Group(0, (_SPEED,)),
            Group(1, (_AVERAGE_SPEED,)),
            Group(2, (_DISTANCE,)),
            Group(
                3,
                (
                    Field("step_rate_spm", 2, unavailable=_NO_UINT16),
                    Field("average_step_rate_spm", 2, unavailable=_NO_UINT16),
                ),
            ),
            Group(4, (Field("stride_count", 2, per_unit=10),)),
            Group(5, (Field("elevation_gain_m", 2), Field("elevation_loss_m", 2))),
            Group(6, _INCLINATION),
            Group(7, (resistance,)),
            Group(8, (_POWER,)),
            Group(9, (_AVERAGE_POWER,)),
            *_from_energy(10),
        ),
    )


_BACKWARD = 1 << 15  # of the cross trainer's flags


def _rower(resistance: Field) -> Layout:
    return Layout(
        ROWER,
        2,
        (
            Group(0, (Field("stroke_rate_spm", 1, per_unit=2), Field("stroke_count", 2))),
            Group(1, (Field("average_stroke_rate_spm", 1, per_unit=2),)),
            Group(2, (_DISTANCE,)),
            Group(3, (_PACE,)),
            Group(4, (_AVERAGE_PACE,)),
            Group(5, (_POWER,)),
            Group(6, (_AVERAGE_POWER,)),
            Group(7, (resistance,)),
            *_from_energy(8),
        ),
    )


def _indoor_bike(resistance: Field) -> Layout:
    return Layout(
        INDOOR_BIKE,
        2,
        (
            Group(0, (_SPEED,)),
            Group(1, (_AVERAGE_SPEED,)),
            Group(2, (Field("cadence_rpm", 2, per_unit=2),)),
            Group(3, (Field("average_cadence_rpm", 2, per_unit=2),)),
            Group(4, (_DISTANCE,)),
            Group(5, (resistance,)),
            Group(6, (_POWER,)),
            Group(7, (_AVERAGE_POWER,)),
            *_from_energy(8),
        ),
    )


# The usual layout first.
_TREADMILLS = (
    _treadmill(_PACE, _AVERAGE_PACE),
    _treadmill(Field("pace_km_per_min", 1, per_unit=10), Field("average_pace_km_per_min", 1, per_unit=10)),
)
_CROSS_TRAINERS = (_cross_trainer(_RESISTANCE), _cross_trainer(_RESISTANCE_IN_A_BYTE))
_ROWERS = (_rower(_RESISTANCE), _rower(_RESISTANCE_IN_A_BYTE))
_INDOOR_BIKES = (_indoor_bike(_RESISTANCE), _indoor_bike(_RESISTANCE_IN_A_BYTE))

_Data = TypeVar("_Data", TreadmillData, CrossTrainerData, RowerData, IndoorBikeData)


def _parse(made: type[_Data], layouts: tuple[Layout, ...], data: bytes, **others: bool) -> _Data:
    flags = layouts[0].flags(data)
    exact = (layout for layout in layouts if layout.size(flags) == len(data))
    long_enough = (layout for layout in layouts if layout.size(flags) <= len(data))
    layout = next(exact, None) or next(long_enough, layouts[0])
    values: dict[str, Any] = layout.read(data)
    return made(more_data=bool(flags & 1), **others, **values)


def parse_treadmill(data: bytes) -> TreadmillData:
    """Decode Treadmill Data (0x2ACD).

    Raises:
        MalformedPacketError: the bytes are shorter than their flags say.
    """
    return _parse(TreadmillData, _TREADMILLS, data)


def parse_cross_trainer(data: bytes) -> CrossTrainerData:
    """Decode Cross Trainer Data (0x2ACE).

    Raises:
        MalformedPacketError: the bytes are shorter than their flags say.
    """
    backward = bool(_CROSS_TRAINERS[0].flags(data) & _BACKWARD)
    return _parse(CrossTrainerData, _CROSS_TRAINERS, data, backward=backward)


def parse_rower(data: bytes) -> RowerData:
    """Decode Rower Data (0x2AD1).

    Raises:
        MalformedPacketError: the bytes are shorter than their flags say.
    """
    return _parse(RowerData, _ROWERS, data)


def parse_indoor_bike(data: bytes) -> IndoorBikeData:
    """Decode Indoor Bike Data (0x2AD2).

    Raises:
        MalformedPacketError: the bytes are shorter than their flags say.
    """
    return _parse(IndoorBikeData, _INDOOR_BIKES, data)


def encode(value: MachineData) -> bytes:
    """The packet that its parser reads, in the usual layout and rounded to its units."""
    match value:
        case TreadmillData():
            layout, flags = _TREADMILLS[0], 0
        case CrossTrainerData():
            layout, flags = _CROSS_TRAINERS[0], _BACKWARD if value.backward else 0
        case RowerData():
            layout, flags = _ROWERS[0], 0
        case _:
            layout, flags = _INDOOR_BIKES[0], 0
    return layout.write(asdict(value), more_data=value.more_data, other_flags=flags)
