"""The Heart Rate Measurement decoder, against the specification, bumble's own parser and arbitrary bytes."""

from __future__ import annotations

import struct

import pytest
from bumble.profiles.heart_rate_service import HeartRateService
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.heart_rate import HeartRateMeasurement, parse


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
    ],
)
def test_decodes(data: str, expected: HeartRateMeasurement) -> None:
    assert parse(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "empty"),
        ("10", "promise at least 2"),
        ("0148", "promise at least 3"),
        ("0e48", "promise at least 4"),
        ("0f4800 01", "promise at least 5"),
        ("164852035c", "half an RR interval"),
        ("0048 00", "1 bytes more"),
    ],
)
def test_refuses_malformed_bytes_and_says_why(data: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason) as caught:
        parse(bytes.fromhex(data))
    assert caught.value.characteristic == 0x2A37
    assert caught.value.data == bytes.fromhex(data)


@given(st.binary(max_size=64))
def test_arbitrary_bytes_raise_nothing_but_malformed_packet_error(data: bytes) -> None:
    try:
        decoded = parse(data)
    except MalformedPacketError:
        return
    assert all(rr > 0 for rr in decoded.rr_intervals_ms)


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
