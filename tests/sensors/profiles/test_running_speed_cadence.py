"""The RSC Measurement decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.registry import new_decoder
from edge_agent.sensors.profiles.running_speed_cadence import (
    MEASUREMENT,
    RunningSpeedCadence,
    RunningSpeedCadenceFeature,
    encode,
    parse,
    parse_feature,
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("00 0003 aa", RunningSpeedCadence(3.0, 170, None, None, running=False), id="least"),
        pytest.param("04 0003 aa", RunningSpeedCadence(3.0, 170, None, None, running=True), id="running"),
        pytest.param("05 0003 aa d300", RunningSpeedCadence(3.0, 170, 2.11, None, running=True), id="stride length"),
        pytest.param(
            "06 0003 aa 15cd5b07", RunningSpeedCadence(3.0, 170, None, 12345678.9, running=True), id="distance"
        ),
        pytest.param("07 8000 5a d300 01000000", RunningSpeedCadence(0.5, 90, 2.11, 0.1, running=True), id="all"),
        pytest.param("f8 0003 aa 99", RunningSpeedCadence(3.0, 170, None, None, running=False), id="reserved ignored"),
    ],
)
def test_decodes(data: str, expected: RunningSpeedCadence) -> None:
    assert parse(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("00 00", "speed at offset 1: needs 2 bytes, the packet has 1 left"),
        ("00 0003", "cadence at offset 3: needs 1 byte"),
        ("03 0003 aa d300 0100", "total distance at offset 6: needs 4 bytes, the packet has 2 left"),
    ],
)
def test_a_short_packet_is_refused_with_the_field_and_its_offset(data: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason):
        parse(bytes.fromhex(data))


@given(
    st.builds(
        RunningSpeedCadence,
        st.integers(0, 0xFFFF).map(lambda units: units / 256),
        st.integers(0, 0xFF),
        st.none() | st.integers(0, 0xFFFF).map(lambda units: units / 100),
        st.none() | st.integers(0, 0xFFFFFFFF).map(lambda units: units / 10),
        running=st.booleans(),
    )
)
def test_a_measurement_is_read_as_it_was_written(measurement: RunningSpeedCadence) -> None:
    assert parse(encode(measurement)) == measurement


@pytest.mark.parametrize(
    ("speed_mps", "cadence_per_min", "steps_per_min"),
    [
        pytest.param(3.0, 170, 170, id="runner, steps"),
        pytest.param(3.0, 85, 170, id="runner, one foot"),
        pytest.param(1.4, 112, 112, id="walker, steps"),
        pytest.param(1.4, 56, 112, id="walker, one foot"),
        pytest.param(1.4, 90, 90, id="walker with long steps"),
        pytest.param(6.5, 200, 200, id="sprinter"),
        pytest.param(0.0, 0, 0, id="standing"),
        pytest.param(2.5, 0, 0, id="a cadence that is not known yet"),
    ],
)
def test_a_cadence_that_no_gait_has_in_steps_is_of_one_foot(
    speed_mps: float, cadence_per_min: int, steps_per_min: int
) -> None:
    measured = RunningSpeedCadence(speed_mps, cadence_per_min, None, None, running=True)
    assert measured.step_rate_spm == steps_per_min


def test_a_measurement_is_read_as_speed_steps_stride_and_distance() -> None:
    assert new_decoder(MEASUREMENT).push(bytes.fromhex("07 0003 55 d300 0a000000"), 3.0) == [
        Reading(Quantity.SPEED, 3.0, 3.0),
        Reading(Quantity.STEP_RATE, 170.0, 3.0),
        Reading(Quantity.STRIDE_LENGTH, 2.11, 3.0),
        Reading(Quantity.DISTANCE, 1.0, 3.0),
    ]


def test_features() -> None:
    assert parse_feature(b"\x16\x00") == RunningSpeedCadenceFeature(
        stride_length=False, total_distance=True, walking_or_running=True, calibration=False, several_locations=True
    )
