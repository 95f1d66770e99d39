"""Records of fitness machines, split or whole, to readings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sensors.profiles.fitness_machine import (
    INDOOR_BIKE,
    ROWER,
    TREADMILL,
    IndoorBikeData,
    RowerData,
    TreadmillData,
    encode,
)
from edge_agent.sensors.profiles.machine_readings import RecordAssembler
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.registry import new_decoder


def test_a_record_in_one_notification_is_whole() -> None:
    record = IndoorBikeData(speed_mps=5.0, power_w=200)
    assert RecordAssembler[IndoorBikeData]().push(record) == [record]


def test_a_record_in_three_notifications_is_put_together_when_the_last_has_come() -> None:
    records = RecordAssembler[IndoorBikeData]()
    assert records.push(IndoorBikeData(more_data=True, total_distance_m=10, power_w=200)) == []
    assert records.push(IndoorBikeData(more_data=True, heart_rate_bpm=120)) == []
    assert records.push(IndoorBikeData(speed_mps=5.0)) == [
        IndoorBikeData(total_distance_m=10, power_w=200, heart_rate_bpm=120, speed_mps=5.0)
    ]


def test_a_record_whose_last_notification_is_lost_ends_where_the_next_begins() -> None:
    records = RecordAssembler[IndoorBikeData]()
    records.push(IndoorBikeData(more_data=True, power_w=200))
    assert records.push(IndoorBikeData(more_data=True, power_w=210)) == [IndoorBikeData(more_data=True, power_w=200)]
    assert records.push(IndoorBikeData(speed_mps=5.0)) == [IndoorBikeData(power_w=210, speed_mps=5.0)]


def test_a_whole_record_after_a_lost_end_is_not_mixed_with_it() -> None:
    records = RecordAssembler[IndoorBikeData]()
    records.push(IndoorBikeData(more_data=True, power_w=200))
    assert records.push(IndoorBikeData(speed_mps=5.0, power_w=210)) == [
        IndoorBikeData(more_data=True, power_w=200),
        IndoorBikeData(speed_mps=5.0, power_w=210),
    ]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 0xFF)), max_size=20))
def test_no_value_is_lost_and_none_is_said_twice(parts: list[tuple[bool, int]]) -> None:
    records, said = RecordAssembler[IndoorBikeData](), []
    for more_data, bpm in parts:
        said += records.push(IndoorBikeData(more_data=more_data, heart_rate_bpm=bpm))
    pending = 1 if parts and parts[-1][0] else 0
    assert [record.heart_rate_bpm for record in said] == [bpm for _, bpm in parts[: len(parts) - pending]]


def test_a_treadmill_measures_speed_grade_elevation_and_energy() -> None:
    record = TreadmillData(
        speed_mps=2.5,
        grade=0.05,
        elevation_gain_m=12.5,
        elevation_loss_m=0.5,
        total_distance_m=1000,
        total_energy_kcal=100,
        heart_rate_bpm=150,
        force_on_belt_n=10,
        power_w=300,
    )
    readings = new_decoder(TREADMILL).push(encode(record), 7.0)
    assert set(readings) == {
        Reading(Quantity.SPEED, 2.5, 7.0),
        Reading(Quantity.GRADE, 0.05, 7.0),
        Reading(Quantity.ELEVATION_GAIN, 12.5, 7.0),
        Reading(Quantity.ELEVATION_LOSS, 0.5, 7.0),
        Reading(Quantity.DISTANCE, 1000.0, 7.0),
        Reading(Quantity.ENERGY_EXPENDED, 100 * 4.184, 7.0),
        Reading(Quantity.HEART_RATE, 150.0, 7.0),
        Reading(Quantity.POWER, 300.0, 7.0),
    }


def test_a_rower_says_its_speed_as_a_pace() -> None:
    readings = new_decoder(ROWER).push(
        encode(RowerData(stroke_rate_spm=24.5, stroke_count=3, pace_s_per_500m=125)), 7.0
    )
    assert readings == [Reading(Quantity.SPEED, 4.0, 7.0), Reading(Quantity.STROKE_RATE, 24.5, 7.0)]


def test_the_split_record_of_a_real_rower_is_read_when_its_last_part_has_come() -> None:
    """First Degree Viking Pro V, as posted in github.com/zpukr/ArduRower, issue 1."""
    decoder = new_decoder(ROWER)
    assert decoder.push(bytes.fromhex("01010400c50107"), 1.0) == []
    assert decoder.push(bytes.fromhex("050a6200000031 00"), 1.0) == []
    assert decoder.push(bytes.fromhex("f800260b00c70000002c001b000200"), 1.0) == [
        Reading(Quantity.ENERGY_EXPENDED, 4 * 4.184, 1.0),
        Reading(Quantity.SPEED, 500 / 199, 1.0),
        Reading(Quantity.DISTANCE, 98.0, 1.0),
        Reading(Quantity.STROKE_RATE, 19.0, 1.0),
        Reading(Quantity.POWER, 44.0, 1.0),
    ]


def test_a_machine_that_sees_no_heart_has_no_heart_rate() -> None:
    decoder = new_decoder(INDOOR_BIKE)
    for bpm in (0, 255):
        packet = encode(IndoorBikeData(speed_mps=0.0, heart_rate_bpm=bpm))
        assert decoder.push(packet, 1.0) == [Reading(Quantity.SPEED, 0.0, 1.0)]
