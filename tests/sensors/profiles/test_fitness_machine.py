"""The decoders of treadmills, cross trainers, rowers and indoor bikes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles import fitness_machine_feature
from edge_agent.sensors.profiles.fitness_machine import (
    CrossTrainerData,
    IndoorBikeData,
    MachineData,
    RowerData,
    TreadmillData,
    encode,
    parse_cross_trainer,
    parse_indoor_bike,
    parse_rower,
    parse_treadmill,
)
from edge_agent.sensors.profiles.fitness_machine_feature import Feature, FitnessMachineFeature, Target


def _up_to(largest: int, per_unit: int = 1, smallest: int = 0) -> st.SearchStrategy[float | None]:
    """What a field of the wire's units can say, or None."""
    return st.none() | st.integers(smallest, largest).map(lambda raw: raw if per_unit == 1 else raw / per_unit)


_BYTE = _up_to(0xFE)
_SHORT = _up_to(0xFFFE)
_SIGNED = _up_to(0x7FFE, smallest=-0x8000)
_SPEED = _up_to(0xFFFF, 360)
_COMMON: dict[str, Any] = {
    "more_data": st.just(value=False),
    "total_distance_m": _up_to(0xFFFFFF),
    "power_w": _SIGNED,
    "total_energy_kcal": _SHORT,
    "energy_per_hour_kcal": _SHORT,
    "energy_per_minute_kcal": _BYTE,
    "heart_rate_bpm": _BYTE,
    "metabolic_equivalent": _up_to(0xFF, 10),
    "elapsed_time_s": _SHORT,
    "remaining_time_s": _SHORT,
}
_INCLINATION: dict[str, Any] = {
    "grade": _up_to(0x7FFE, 1000, -0x8000),
    "ramp_angle_deg": _up_to(0x7FFE, 10, -0x8000),
}
# Fields without a "not available" that share a flag are drawn together.
MACHINES: dict[type[MachineData], st.SearchStrategy[Any]] = {
    TreadmillData: st.builds(
        TreadmillData,
        **_COMMON,
        **_INCLINATION,
        speed_mps=st.integers(0, 0xFFFF).map(lambda raw: raw / 360),
        average_speed_mps=_SPEED,
        pace_s_per_500m=_SHORT,
        average_pace_s_per_500m=_SHORT,
        force_on_belt_n=_SIGNED,
    ),
    CrossTrainerData: st.builds(
        CrossTrainerData,
        **_COMMON,
        **_INCLINATION,
        backward=st.booleans(),
        speed_mps=st.integers(0, 0xFFFF).map(lambda raw: raw / 360),
        average_speed_mps=_SPEED,
        step_rate_spm=_SHORT,
        average_step_rate_spm=_SHORT,
        stride_count=_up_to(0xFFFF, 10),
        resistance_level=_SIGNED,
        average_power_w=_SIGNED,
    ),
    RowerData: st.builds(
        RowerData,
        **_COMMON,
        stroke_rate_spm=st.integers(0, 0xFF).map(lambda raw: raw / 2),
        stroke_count=st.integers(0, 0xFFFF),
        average_stroke_rate_spm=_up_to(0xFF, 2),
        pace_s_per_500m=_SHORT,
        average_pace_s_per_500m=_SHORT,
        average_power_w=_SIGNED,
        resistance_level=_SIGNED,
    ),
    IndoorBikeData: st.builds(
        IndoorBikeData,
        **_COMMON,
        speed_mps=st.integers(0, 0xFFFF).map(lambda raw: raw / 360),
        average_speed_mps=_SPEED,
        cadence_rpm=_up_to(0xFFFF, 2),
        average_cadence_rpm=_up_to(0xFFFF, 2),
        resistance_level=_SIGNED,
        average_power_w=_SIGNED,
    ),
}
PARSERS: dict[type[MachineData], Any] = {
    TreadmillData: parse_treadmill,
    CrossTrainerData: parse_cross_trainer,
    RowerData: parse_rower,
    IndoorBikeData: parse_indoor_bike,
}


@pytest.mark.parametrize("machine", MACHINES)
@given(data=st.data())
def test_a_record_is_read_as_it_was_written_whatever_follows_it(
    machine: type[MachineData], data: st.DataObject
) -> None:
    record = data.draw(MACHINES[machine])
    assert PARSERS[machine](encode(record)) == record
    assert PARSERS[machine](encode(record) + bytes(3)) == record


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("0000 e803", TreadmillData(speed_mps=1000 / 360), id="10 km/h"),
        pytest.param("0100", TreadmillData(more_data=True), id="more data, so no speed yet"),
        pytest.param("0600 e803 d007 400d03", TreadmillData(
            speed_mps=1000 / 360, average_speed_mps=2000 / 360, total_distance_m=200000
        ), id="average speed, distance in 24 bits"),
        pytest.param("0800 e803 ecff ff7f", TreadmillData(speed_mps=1000 / 360, grade=-0.02), id="2 % down, no angle"),
        pytest.param("0800 e803 ff7f 1400", TreadmillData(speed_mps=1000 / 360, ramp_angle_deg=2.0), id="angle alone"),
        pytest.param("1000 e803 6400 3200", TreadmillData(
            speed_mps=1000 / 360, elevation_gain_m=10.0, elevation_loss_m=5.0
        ), id="elevation in .1 m"),
        pytest.param("6000 e803 b400 b500", TreadmillData(
            speed_mps=1000 / 360, pace_s_per_500m=180, average_pace_s_per_500m=181
        ), id="pace"),
        pytest.param("6000 e803 02 01", TreadmillData(
            speed_mps=1000 / 360, pace_km_per_min=0.2, average_pace_km_per_min=0.1
        ), id="pace of the older layout"),
        pytest.param("2001 e803 02 78", TreadmillData(
            speed_mps=1000 / 360, pace_km_per_min=0.2, heart_rate_bpm=120
        ), id="what follows it is read from the right place"),
        pytest.param("8000 e803 ffff ffff ff", TreadmillData(speed_mps=1000 / 360), id="energy not available"),
        pytest.param("8000 e803 0a00 5802 0a", TreadmillData(
            speed_mps=1000 / 360, total_energy_kcal=10, energy_per_hour_kcal=600, energy_per_minute_kcal=10
        ), id="energy"),
        pytest.param("000f e803 78 64 3c00 0e10", TreadmillData(
            speed_mps=1000 / 360, heart_rate_bpm=120, metabolic_equivalent=10.0,
            elapsed_time_s=60, remaining_time_s=4110,
        ), id="heart rate, metabolic equivalent, times"),
        pytest.param("0010 e803 f6ff 9001", TreadmillData(
            speed_mps=1000 / 360, force_on_belt_n=-10, power_w=400
        ), id="force and power"),
        pytest.param("0010 e803 ff7f ff7f", TreadmillData(speed_mps=1000 / 360), id="neither available"),
        pytest.param("00e0 e803 aabb", TreadmillData(speed_mps=1000 / 360), id="reserved flags, vendor's bytes"),
    ],
)  # fmt: skip
def test_decodes_treadmills(data: str, expected: TreadmillData) -> None:
    assert parse_treadmill(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("008000 e803", CrossTrainerData(speed_mps=1000 / 360, backward=True), id="backward"),
        pytest.param("180000 e803 7800 ffff fa00", CrossTrainerData(
            speed_mps=1000 / 360, step_rate_spm=120, stride_count=25.0
        ), id="steps, no average, strides in tenths"),
        pytest.param("200000 e803 6400 3200", CrossTrainerData(
            speed_mps=1000 / 360, elevation_gain_m=100, elevation_loss_m=50
        ), id="elevation in whole metres"),
        pytest.param("800100 e803 0500 9600", CrossTrainerData(
            speed_mps=1000 / 360, resistance_level=5, power_w=150
        ), id="resistance in 16 bits"),
        pytest.param("800100 e803 05 9600", CrossTrainerData(
            speed_mps=1000 / 360, resistance_level=5, power_w=150
        ), id="resistance in 8 bits"),
    ],
)  # fmt: skip
def test_decodes_cross_trainers(data: str, expected: CrossTrainerData) -> None:
    assert parse_cross_trainer(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("0000 31 6400", RowerData(stroke_rate_spm=24.5, stroke_count=100), id="half strokes per minute"),
        pytest.param("0100", RowerData(more_data=True), id="more data, so neither rate nor count yet"),
        pytest.param("2c00 30 6400 e80300 7800 c800", RowerData(
            stroke_rate_spm=24.0, stroke_count=100, total_distance_m=1000, pace_s_per_500m=120, power_w=200
        ), id="distance, pace, power"),
        pytest.param("8002 30 6400 05 78", RowerData(
            stroke_rate_spm=24.0, stroke_count=100, resistance_level=5, heart_rate_bpm=120
        ), id="resistance in 8 bits"),
    ],
)  # fmt: skip
def test_decodes_rowers(data: str, expected: RowerData) -> None:
    assert parse_rower(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        # Bytes of real machines, as users have posted them: github.com/Berg0162/simcline, issues 4, 7 and 9.
        pytest.param("6402 0000 0000 1400 0000 00", IndoorBikeData(
            speed_mps=0.0, cadence_rpm=0.0, resistance_level=20, power_w=0, heart_rate_bpm=0
        ), id="JetBlack Volt"),
        pytest.param("fe02 990b c707 b200 7200 f70000 1400 4600 5d00 00", IndoorBikeData(
            speed_mps=2969 / 360, average_speed_mps=1991 / 360, cadence_rpm=89.0, average_cadence_rpm=57.0,
            total_distance_m=247, resistance_level=20, power_w=70, average_power_w=93, heart_rate_bpm=0,
        ), id="Zwift Hub"),
        pytest.param("5408 0000 0000 000000 0000 3100", IndoorBikeData(
            speed_mps=0.0, cadence_rpm=0.0, total_distance_m=0, power_w=0, elapsed_time_s=49
        ), id="Elite"),
        # Made here.
        pytest.param("6000 e803 05 9600", IndoorBikeData(
            speed_mps=1000 / 360, resistance_level=5, power_w=150
        ), id="resistance in 8 bits"),
        pytest.param("4000 e803 f6ff", IndoorBikeData(speed_mps=1000 / 360, power_w=-10), id="power below 0"),
    ],
)  # fmt: skip
def test_decodes_indoor_bikes(data: str, expected: IndoorBikeData) -> None:
    assert parse_indoor_bike(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("machine", "data", "reason"),
    [
        (TreadmillData, "00", "flags at offset 0: needs 2 bytes, the packet has 1 left"),
        (TreadmillData, "0400 e803 400d", "total distance at offset 4: needs 3 bytes, the packet has 2 left"),
        (CrossTrainerData, "0000", "flags at offset 0: needs 3 bytes, the packet has 2 left"),
        (RowerData, "0000 30 64", "stroke count at offset 3: needs 2 bytes, the packet has 1 left"),
        (IndoorBikeData, "6000 e803 05 96", "power at offset 6: needs 2 bytes, the packet has 0 left"),
    ],
)
def test_a_short_packet_is_refused_with_the_field_and_its_offset(
    machine: type[MachineData], data: str, reason: str
) -> None:
    with pytest.raises(MalformedPacketError, match=reason):
        PARSERS[machine](bytes.fromhex(data))


def test_a_group_with_one_value_is_sent_with_the_other_not_available() -> None:
    assert encode(TreadmillData(speed_mps=0.0, grade=0.05)) == bytes.fromhex("0800 0000 3200 ff7f")


def test_features_and_targets() -> None:
    assert fitness_machine_feature.parse(bytes.fromhex("02440000 0c200000")) == FitnessMachineFeature(
        (Feature.CADENCE, Feature.HEART_RATE, Feature.POWER),
        (Target.RESISTANCE, Target.POWER, Target.BIKE_SIMULATION),
    )
    with pytest.raises(MalformedPacketError, match="target settings at offset 4"):
        fitness_machine_feature.parse(bytes(7))
