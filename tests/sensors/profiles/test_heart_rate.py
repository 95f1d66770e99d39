"""The Heart Rate Measurement decoder, against the specification, bumble's own parser and arbitrary bytes."""

from __future__ import annotations

import struct

import pytest
from bumble.profiles.heart_rate_service import HeartRateService
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.heart_rate import (
    BodySensorLocation,
    Command,
    ControlPoint,
    HeartRateMeasurement,
    Location,
    encode,
    encode_control_point,
    parse,
    parse_control_point,
    parse_location,
)
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.registry import new_decoder


def measurement(
    heart_rate_bpm: int,
    *,
    contact: bool | None = None,
    energy_kj: int | None = None,
    rr_ms: tuple[float, ...] = (),
    zero_rr: int = 0,
) -> HeartRateMeasurement:
    return HeartRateMeasurement(heart_rate_bpm, contact, energy_kj, rr_ms, zero_rr)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("0048", measurement(72), id="contact not supported"),
        pytest.param("0448", measurement(72, contact=False), id="no contact"),
        pytest.param("0648", measurement(72, contact=True), id="contact"),
        pytest.param("0248", measurement(72), id="contact detected but not supported says nothing"),
        pytest.param("072c01", measurement(300, contact=True), id="heart rate in 16 bits"),
        pytest.param("0748 00", measurement(72, contact=True), id="a small heart rate in 16 bits"),
        pytest.param("0e78d204", measurement(120, contact=True, energy_kj=1234), id="energy"),
        pytest.param("0e78ffff", measurement(120, contact=True, energy_kj=65535), id="energy at its ceiling"),
        pytest.param("183CF4010004", measurement(60, energy_kj=500, rr_ms=(1000.0,)), id="energy before RR"),
        pytest.param("143C0004", measurement(60, contact=False, rr_ms=(1000.0,)), id="one RR without contact"),
        pytest.param("113C000004", measurement(60, rr_ms=(1000.0,)), id="RR after 16 bits"),
        pytest.param("1648 0002 0004", measurement(72, contact=True, rr_ms=(500.0, 1000.0)), id="two RR"),
        pytest.param("1648", measurement(72, contact=True), id="RR flag, no RR: no beat since the last one"),
        pytest.param("103C 0000 0004 0000", measurement(60, rr_ms=(1000.0,), zero_rr=2), id="RR of 0 left out"),
        pytest.param("E048", measurement(72), id="reserved bits ignored"),
        pytest.param("2048 1234", measurement(72), id="so is what follows for them"),
    ],
)
def test_decodes(data: str, expected: HeartRateMeasurement) -> None:
    assert parse(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "flags at offset 0: needs 1 byte, the packet has 0 left"),
        ("10", "heart rate at offset 1: needs 1 byte, the packet has 0 left"),
        ("0148", "heart rate at offset 1: needs 2 bytes, the packet has 1 left"),
        ("0e48", "energy expended at offset 2: needs 2 bytes, the packet has 0 left"),
        ("0f4800 01", "energy expended at offset 3: needs 2 bytes, the packet has 1 left"),
        ("164852035c", "RR interval at offset 4: needs 2 bytes, the packet has 1 left"),
        ("0048 00", "end at offset 2: 1 bytes more than the flags promise"),
    ],
)
def test_malformed_bytes_are_refused_with_the_field_and_its_offset(data: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason) as caught:
        parse(bytes.fromhex(data))
    assert caught.value.characteristic == "0x2A37"
    assert caught.value.data == bytes.fromhex(data)
    assert reason.startswith(f"{caught.value.field} at offset {caught.value.offset}: {caught.value.reason}")


@given(
    heart_rate_bpm=st.integers(0, 0xFFFF),
    contact=st.sampled_from([None, False, True]),
    energy_kj=st.none() | st.integers(0, 0xFFFF),
    rr_units=st.lists(st.integers(1, 0xFFFF), max_size=9),
    wide=st.booleans(),
)
def test_every_combination_of_flags_is_read_as_an_independent_parser_reads_it(
    *, heart_rate_bpm: int, contact: bool | None, energy_kj: int | None, rr_units: list[int], wide: bool
) -> None:
    wide = wide or heart_rate_bpm > 0xFF
    flags = wide | {None: 0, False: 0x04, True: 0x06}[contact] | (energy_kj is not None) << 3 | bool(rr_units) << 4
    data = bytes([flags]) + heart_rate_bpm.to_bytes(2 if wide else 1, "little")
    data += b"" if energy_kj is None else struct.pack("<H", energy_kj)
    data += struct.pack(f"<{len(rr_units)}H", *rr_units)

    ours, oracle = parse(data), HeartRateService.HeartRateMeasurement.from_bytes(data)

    assert ours.heart_rate_bpm == oracle.heart_rate == heart_rate_bpm
    assert ours.sensor_contact == contact
    assert ours.energy_expended_kj == oracle.energy_expended == energy_kj
    assert ours.rr_intervals_ms == tuple(1000 * s for s in oracle.rr_intervals or ())
    assert ours.rr_intervals_ms == tuple(unit * 1000 / 1024 for unit in rr_units)
    assert parse(encode(ours)) == ours


def test_a_measurement_is_read_as_contact_heart_rate_intervals_and_energy() -> None:
    decoder = new_decoder("00002a37-0000-1000-8000-00805f9b34fb")
    assert decoder.push(bytes.fromhex("1e78 d204 0002 0004"), 10.0) == [
        Reading(Quantity.SENSOR_CONTACT, 1.0, 10.0),
        Reading(Quantity.HEART_RATE, 120.0, 10.0),
        Reading(Quantity.RR_INTERVAL, 500.0, 10.0),
        Reading(Quantity.RR_INTERVAL, 1000.0, 10.0),
        Reading(Quantity.ENERGY_EXPENDED, 1234.0, 10.0),
    ]


def test_a_heart_rate_of_0_is_not_read() -> None:
    decoder = new_decoder("00002a37-0000-1000-8000-00805f9b34fb")
    assert decoder.push(b"\x04\x00", 10.0) == [Reading(Quantity.SENSOR_CONTACT, 0.0, 10.0)]


@pytest.mark.parametrize(("data", "location"), [("01", Location.CHEST), ("06", Location.FOOT), ("07", Location.OTHER)])
def test_a_sensor_says_where_it_is_worn(data: str, location: Location) -> None:
    assert parse_location(bytes.fromhex(data)) == BodySensorLocation(location)


def test_the_energy_expended_can_be_reset() -> None:
    assert encode_control_point(ControlPoint(Command.RESET_ENERGY_EXPENDED)) == b"\x01"
    assert parse_control_point(b"\x01") == ControlPoint(Command.RESET_ENERGY_EXPENDED)


def test_a_reserved_command_is_refused() -> None:
    with pytest.raises(MalformedPacketError, match="command at offset 0: 2 is reserved"):
        parse_control_point(b"\x02")
