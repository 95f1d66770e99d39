"""The CSC Measurement decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.cycling_speed_cadence import (
    MEASUREMENT,
    CyclingSpeedCadence,
    CyclingSpeedCadenceFeature,
    encode,
    parse,
    parse_feature,
)
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.registry import new_decoder
from edge_agent.sensors.profiles.revolutions import Revolutions

_WHEELS = st.builds(Revolutions, st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFF))
_CRANKS = st.builds(Revolutions, st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))


@pytest.mark.parametrize(
    ("data", "wheel", "crank"),
    [
        pytest.param("00", None, None, id="nothing"),
        pytest.param("01 39300000 3412", Revolutions(12345, 0x1234), None, id="wheel"),
        pytest.param("02 d204 7856", None, Revolutions(1234, 0x5678), id="crank"),
        pytest.param("03 39300000 3412 d204 7856", Revolutions(12345, 0x1234), Revolutions(1234, 0x5678), id="both"),
        pytest.param("fe d204 7856 99", None, Revolutions(1234, 0x5678), id="reserved flags ignored"),
    ],
)
def test_decodes(data: str, wheel: Revolutions | None, crank: Revolutions | None) -> None:
    assert parse(bytes.fromhex(data)) == CyclingSpeedCadence(wheel, crank)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "flags at offset 0"),
        ("01 393000", "wheel revolutions at offset 1: needs 4 bytes, the packet has 3 left"),
        ("03 39300000 3412 d204 78", "last crank event time at offset 9: needs 2 bytes, the packet has 1 left"),
    ],
)
def test_a_short_packet_is_refused_with_the_field_and_its_offset(data: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason):
        parse(bytes.fromhex(data))


@given(st.builds(CyclingSpeedCadence, st.none() | _WHEELS, st.none() | _CRANKS))
def test_a_measurement_is_read_as_it_was_written(measurement: CyclingSpeedCadence) -> None:
    assert parse(encode(measurement)) == measurement


def test_features() -> None:
    assert parse_feature(b"\x05\x00") == CyclingSpeedCadenceFeature(
        wheel_revolutions=True, crank_revolutions=False, several_locations=True
    )


def test_two_packets_measure_speed_distance_and_cadence() -> None:
    decoder = new_decoder(MEASUREMENT, wheel_circumference_m=2.0)
    first = encode(CyclingSpeedCadence(Revolutions(0xFFFFFFFE, 0xFE00), Revolutions(0xFFFF, 0xFC00)))
    second = encode(CyclingSpeedCadence(Revolutions(3, 0x0200), Revolutions(1, 0x0200)))
    assert decoder.push(first, 0.0) == [Reading(Quantity.DISTANCE, 0.0, 0.0)]
    assert decoder.push(second, 1.0) == [
        Reading(Quantity.SPEED, 10.0, 1.0),
        Reading(Quantity.DISTANCE, 10.0, 1.0),
        Reading(Quantity.CADENCE, 80.0, 1.0),
    ]


def test_who_stands_has_a_speed_and_a_cadence_of_0() -> None:
    decoder = new_decoder(MEASUREMENT, wheel_circumference_m=2.0)
    packet = encode(CyclingSpeedCadence(Revolutions(7, 100), Revolutions(3, 100)))
    decoder.push(packet, 0.0)
    assert [reading.quantity for reading in decoder.push(packet, 1.0)] == [Quantity.DISTANCE]  # type: ignore[union-attr]
    assert decoder.push(packet, 3.0) == [
        Reading(Quantity.SPEED, 0.0, 3.0),
        Reading(Quantity.DISTANCE, 0.0, 3.0),
        Reading(Quantity.CADENCE, 0.0, 3.0),
    ]
