"""The Cycling Power Measurement decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.cycling_power import (
    MEASUREMENT,
    CyclingPower,
    CyclingPowerFeature,
    Extremes,
    Feature,
    encode,
    parse,
    parse_feature,
)
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.registry import new_decoder
from edge_agent.sensors.profiles.revolutions import Revolutions


def _in_units(units: int, low: int, high: int) -> st.SearchStrategy[float]:
    return st.integers(low, high).map(lambda raw: raw / units)


_UINT16 = st.integers(0, 0xFFFF)
_SINT16 = st.integers(-0x8000, 0x7FFF)
MEASUREMENTS = st.builds(
    CyclingPower,
    power_w=_SINT16,
    balance_percent=st.none() | _in_units(2, 0, 200),
    balance_is_left=st.booleans(),
    accumulated_torque_nm=st.none() | _in_units(32, 0, 0xFFFF),
    torque_at_crank=st.booleans(),
    wheel=st.none() | st.builds(Revolutions, st.integers(0, 0xFFFFFFFF), _UINT16),
    crank=st.none() | st.builds(Revolutions, _UINT16, _UINT16),
    force_n=st.none() | st.builds(Extremes, _SINT16, _SINT16),
    torque_nm=st.none() | st.builds(Extremes, *[_in_units(32, -0x8000, 0x7FFF)] * 2),
    angle_deg=st.none() | st.builds(Extremes, st.integers(0, 0xFFF), st.integers(0, 0xFFF)),
    top_dead_spot_deg=st.none() | _UINT16,
    bottom_dead_spot_deg=st.none() | _UINT16,
    accumulated_energy_kj=st.none() | _UINT16,
    offset_compensated=st.booleans(),
)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("0000 fa00", CyclingPower(250), id="power"),
        pytest.param("0000 f6ff", CyclingPower(-10), id="power below 0"),
        pytest.param("0300 fa00 66", CyclingPower(250, 51.0, balance_is_left=True), id="balance, left"),
        pytest.param("0100 fa00 65", CyclingPower(250, 50.5), id="balance, side unknown"),
        pytest.param("0100 fa00 ff", CyclingPower(250), id="balance not known"),
        pytest.param(
            "0c00 fa00 2100", CyclingPower(250, accumulated_torque_nm=33 / 32, torque_at_crank=True), id="torque"
        ),
        pytest.param(
            "3000 fa00 01000000 0008 0200 0004",
            CyclingPower(250, wheel=Revolutions(1, 2048), crank=Revolutions(2, 1024)),
            id="wheel and crank",
        ),
        pytest.param(
            "c000 fa00 6400 9cff 2000 e0ff",
            CyclingPower(250, force_n=Extremes(100, -100), torque_nm=Extremes(1.0, -1.0)),
            id="extremes",
        ),
        pytest.param(
            "0001 fa00 bc3a12", CyclingPower(250, angle_deg=Extremes(0xABC, 0x123)), id="two angles of 12 bits"
        ),
        pytest.param(
            "000e fa00 5a00 0e01 0a00",
            CyclingPower(250, top_dead_spot_deg=90, bottom_dead_spot_deg=270, accumulated_energy_kj=10),
            id="dead spots and energy",
        ),
        pytest.param("00f0 fa00 9999", CyclingPower(250, offset_compensated=True), id="reserved flags ignored"),
    ],
)
def test_decodes(data: str, expected: CyclingPower) -> None:
    assert parse(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("00", "flags at offset 0: needs 2 bytes, the packet has 1 left"),
        ("0000 fa", "power at offset 2: needs 2 bytes, the packet has 1 left"),
        ("3000 fa00 01000000 0008 0200 00", "last crank event time at offset 12: needs 2 bytes, the packet has 1 left"),
        ("0001 fa00 bc3a", "extreme angles at offset 4: needs 3 bytes, the packet has 2 left"),
    ],
)
def test_a_short_packet_is_refused_with_the_field_and_its_offset(data: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason):
        parse(bytes.fromhex(data))


@given(MEASUREMENTS)
def test_a_measurement_is_read_as_it_was_written(measurement: CyclingPower) -> None:
    assert parse(encode(measurement)) == measurement


def test_wheel_events_are_timed_twice_as_fine_as_those_of_the_crank() -> None:
    decoder = new_decoder(MEASUREMENT, wheel_circumference_m=2.0)
    decoder.push(encode(CyclingPower(240, wheel=Revolutions(0, 0), crank=Revolutions(0, 0))), 0.0)
    later = CyclingPower(250, wheel=Revolutions(4, 2048), crank=Revolutions(1, 1024), accumulated_energy_kj=7)
    assert decoder.push(encode(later), 1.0) == [
        Reading(Quantity.POWER, 250.0, 1.0),
        Reading(Quantity.WORK, 7.0, 1.0),
        Reading(Quantity.SPEED, 8.0, 1.0),
        Reading(Quantity.DISTANCE, 8.0, 1.0),
        Reading(Quantity.CADENCE, 60.0, 1.0),
    ]


def test_a_real_crank_is_followed_through_the_wrap_of_its_event_time_until_it_stands() -> None:
    """Pedals, as logged second by second with another program's cadence in github.com/doudar/SmartSpin2k, issue 70."""
    logged = [
        ("0a6e d7fc", None), ("0b6e 7501", 51), ("0c6e 7506", 48), ("0d6e 750b", 48), ("0d6e 750b", None),
        ("0e6e 9110", 46), ("0f6e 5e15", 49), ("106e 121a", 51), ("116e b01e", 51), ("126e 4e23", 51),
        ("126e 4e23", None), ("136e c328", 43), ("146e c32e", 40), ("146e c32e", None), ("156e c336", 30),
        ("156e c336", None), ("156e c336", None), ("156e c336", 0),
    ]  # fmt: skip
    decoder = new_decoder(MEASUREMENT)
    for second, (crank, cadence_rpm) in enumerate(logged):
        readings = decoder.push(bytes.fromhex("2000 0b00" + crank), float(second))
        cadences = [r.value for r in readings if isinstance(r, Reading) and r.quantity is Quantity.CADENCE]
        assert [int(cadence) for cadence in cadences] == ([] if cadence_rpm is None else [cadence_rpm])


def test_features() -> None:
    assert parse_feature(bytes.fromhex("0c002100")) == CyclingPowerFeature(
        (Feature.WHEEL_REVOLUTIONS, Feature.CRANK_REVOLUTIONS, Feature.TORQUE_BASED), in_distributed_system=True
    )
    assert parse_feature(bytes(4)) == CyclingPowerFeature((), None)
