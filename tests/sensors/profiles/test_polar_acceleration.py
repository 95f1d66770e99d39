"""Acceleration from Polar's measurement service: frames, and the handshake before them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from math import hypot
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.polar_acceleration import (
    AccelerationFrame,
    AccelerationStream,
    Sample,
    State,
    encode,
    parse,
)
from edge_agent.sensors.profiles.polar_control import Setting, Status, encode_settings

G_MPS2 = 9.80665

_HEAD = "02 00ca9a3b00000000"  # acceleration, 1 s
_AXIS = st.integers(-0x8000, 0x7FFF)
_SAMPLES = st.lists(st.tuples(_AXIS, _AXIS, _AXIS), min_size=1, max_size=300).map(tuple)


@pytest.mark.parametrize(
    ("body", "compressed", "mg_per_count", "samples"),
    [
        pytest.param("00 01ff7f 0280fe", False, 1, ((1, -1, 127), (2, -128, -2)), id="raw, 8 bits"),
        pytest.param("01 0100 ffff e803", False, 1, ((1, -1, 1000),), id="raw, 16 bits"),
        pytest.param("02 010000 ffffff e80300", False, 1, ((1, -1, 1000),), id="raw, 24 bits"),
        pytest.param("81 0100 ffff e803", True, 1, ((1, -1, 1000),), id="compressed, first sample alone"),
        # Two differences of 4 bits an axis: (1, -1, 7), (-8, 0, 2); the least significant bits come first.
        pytest.param("80 0000 0000 0000 04 02 f1 87 20", True, 1000, ((0, 0, 0), (1, -1, 7), (-7, -1, 9)), id="4 bits"),
        # One of 3 bits an axis, (-1, 2, -4), and a block of 1 bit an axis, (-1, 0, -1).
        pytest.param(
            "81 0a00 0a00 0a00 03 01 1701 01 01 05", True, 1, ((10, 10, 10), (9, 12, 6), (8, 12, 5)), id="two blocks"
        ),
    ],
)
def test_decodes(body: str, compressed: bool, mg_per_count: int, samples: tuple[Sample, ...]) -> None:  # noqa: FBT001
    assert parse(bytes.fromhex(_HEAD + body)) == AccelerationFrame(10**9, mg_per_count, compressed, samples)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("00 00ca9a3b00000000 00", "measurement at offset 0: 0 is not acceleration"),
        ("02 00ca9a", "time at offset 1: needs 8 bytes, the packet has 3 left"),
        (_HEAD + "03 00", "frame type at offset 9: 3, raw, is not known for acceleration"),
        (_HEAD + "82 00", "frame type at offset 9: 2, compressed, is not known for acceleration"),
        (_HEAD + "01", "x at offset 10: needs 2 bytes, the packet has 0 left"),
        (_HEAD + "01 0100 ffff e8", "z at offset 14: needs 2 bytes, the packet has 1 left"),
        (_HEAD + "81 0000 0000 0000 00 ff", "bits of a difference at offset 16: 0 bits cannot be"),
        (_HEAD + "81 0000 0000 0000 12 01", "bits of a difference at offset 16: 18 bits cannot be"),
        (_HEAD + "81 0000 0000 0000 08 02 010203", "differences at offset 18: needs 6 bytes, the packet has 3 left"),
        (_HEAD + "81 ff7f 0000 0000 02 01 01", "differences at offset 18: they lead out of 16 bits"),
    ],
)
def test_a_malformed_frame_is_refused_with_the_field_and_its_offset(data: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason):
        parse(bytes.fromhex(data))


@given(time_ns=st.integers(0, 2**64 - 1), compressed=st.booleans(), samples=_SAMPLES)
def test_a_frame_is_read_as_it_was_written(*, time_ns: int, compressed: bool, samples: tuple[Sample, ...]) -> None:
    frame = AccelerationFrame(time_ns, 1, compressed, samples)
    assert parse(encode(frame)) == frame


def test_a_frame_of_a_real_armband_is_of_its_day_and_of_one_g() -> None:
    """Verity Sense, the first block of a frame posted in github.com/polarofficial/polar-ble-sdk, issue 443."""
    frame = parse(
        bytes.fromhex(
            "0200416fc41245930a 81 ee021ffe82ff 080a10da20d6a30bd9cbe7d6f6c4e6f1e1f3e0151afe281bf8372c2520131911"
        )
    )
    taken = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=frame.time_ns // 1000)
    assert (taken.year, taken.month, taken.day) == (2024, 2, 23)
    assert len(frame.samples) == 11
    assert fmean(hypot(*sample) for sample in frame.samples) == pytest.approx(1000, rel=0.2)


def _settings(**chosen: tuple[int, ...]) -> bytes:
    return encode_settings({Setting[name.upper()]: values for name, values in chosen.items()})


_STRAP = _settings(sample_rate_hz=(25, 50, 100, 200), resolution_bits=(16,), range=(2, 4, 8))
_ASKED, _STARTED = bytes.fromhex("f001020000"), bytes.fromhex("f002020000")


def streaming(*, rate_hz: int = 50, factor: float | None = None) -> AccelerationStream:
    """A stream whose handshake went well."""
    stream = AccelerationStream(rate_hz=rate_hz)
    stream.begin()
    stream.on_control(_ASKED + _STRAP)
    stream.on_control(_STARTED + (b"" if factor is None else b"\x05\x01" + struct.pack("<f", factor)))
    assert stream.state is State.STREAMING
    return stream


def test_the_handshake_asks_for_the_settings_and_starts_with_one_of_each() -> None:
    stream = AccelerationStream(rate_hz=200)
    assert stream.begin() == bytes.fromhex("0102")
    assert stream.on_control(_ASKED + _STRAP) == bytes.fromhex("0202 0001c800 01011000 02010800")
    assert stream.on_control(_STARTED) is None
    assert (stream.state, stream.sample_rate_hz) == (State.STREAMING, 200)


@pytest.mark.parametrize(("wanted", "taken"), [(10, 25), (25, 25), (52, 100), (200, 200), (500, 200)])
def test_the_slowest_rate_that_is_fast_enough_is_taken(wanted: int, taken: int) -> None:
    assert streaming(rate_hz=wanted).sample_rate_hz == taken


def test_settings_split_over_two_responses_are_put_together() -> None:
    stream = AccelerationStream(rate_hz=200)
    stream.begin()
    assert stream.on_control(bytes.fromhex("f001020001") + _STRAP[:7]) is None
    assert stream.on_control(_ASKED + _STRAP[7:]) == bytes.fromhex("0202 0001c800 01011000 02010800")


def test_settings_that_never_end_are_given_up() -> None:
    stream = AccelerationStream()
    stream.begin()
    for _ in range(30):
        assert stream.on_control(bytes.fromhex("f001020001") + bytes(20)) is None
    assert (stream.state, stream.ended) == (State.ENDED, Status.INVALID_LENGTH)


def test_what_runs_already_is_stopped_and_started_with_our_settings() -> None:
    stream = AccelerationStream()
    stream.begin()
    started = stream.on_control(_ASKED + _STRAP)
    assert stream.on_control(bytes.fromhex("f0020206")) == bytes.fromhex("0302")
    assert stream.on_control(bytes.fromhex("f0030200")) == started
    stream.on_control(_STARTED)
    assert stream.state is State.STREAMING


@pytest.mark.parametrize(
    ("indications", "status"),
    [
        (["f0010203"], Status.NOT_SUPPORTED),
        (["f001020000"], Status.INVALID_SAMPLE_RATE),  # no rate was offered
        (["f001020000 00013400", "f002020d"], Status.IN_CHARGER),
        (["f001020000 00013400", "f0020206", "f0030200", "f0020206"], Status.ALREADY_IN_STATE),
    ],
)
def test_a_refusal_ends_the_handshake_and_says_why(indications: list[str], status: Status) -> None:
    stream = AccelerationStream()
    stream.begin()
    for indication in indications:
        stream.on_control(bytes.fromhex(indication))
    assert (stream.state, stream.ended) == (State.ENDED, status)


def test_a_stream_that_the_sensor_stops_is_ended() -> None:
    stream = streaming()
    assert stream.on_control(b"\x01\x02") is None
    assert stream.state is State.ENDED
    assert stream.push(bytes.fromhex(_HEAD + "01 0000 0000 e803"), 1.0) == []


def test_answers_of_other_measurements_change_nothing() -> None:
    stream = AccelerationStream()
    stream.begin()
    for other in ("f001000001", "f0020003", "0100", "0f0500"):
        assert stream.on_control(bytes.fromhex(other)) is None
    assert stream.state is State.SETTINGS


def test_raw_samples_are_in_mg_and_timed_back_from_the_last_one() -> None:
    frame = AccelerationFrame(10**9, 1, compressed=False, samples=((0, 0, 1000), (500, -1000, 0)))
    (acceleration,) = streaming(factor=0.5).push(encode(frame), 100.0)
    assert acceleration.at_s == pytest.approx((99.98, 100.0))
    assert acceleration.xyz_mps2[0] == pytest.approx((0.0, 0.0, G_MPS2))
    assert acceleration.xyz_mps2[1] == pytest.approx((G_MPS2 / 2, -G_MPS2, 0.0))


@pytest.mark.parametrize(("mg_per_count", "factor"), [(1, 0.25), (1000, 0.00025)])
def test_compressed_samples_count_in_the_factor_that_the_sensor_told(mg_per_count: int, factor: float) -> None:
    frame = AccelerationFrame(10**9, mg_per_count, compressed=True, samples=((0, 0, 4000), (4000, 0, 0)))
    (acceleration,) = streaming(factor=factor).push(encode(frame), 100.0)
    assert acceleration.xyz_mps2[0] == pytest.approx((0.0, 0.0, G_MPS2))
    assert acceleration.xyz_mps2[1] == pytest.approx((G_MPS2, 0.0, 0.0))


def _times(arrivals_s: list[float], sent_ns: list[int], *, samples: int = 10) -> list[tuple[float, ...]]:
    stream = streaming()
    frames = [AccelerationFrame(ns, 1, compressed=False, samples=((0, 0, 0),) * samples) for ns in sent_ns]
    pushed = [stream.push(encode(frame), at_s) for frame, at_s in zip(frames, arrivals_s, strict=True)]
    return [acceleration.at_s for (acceleration,) in pushed]


def test_samples_are_spaced_as_the_sensor_really_samples() -> None:
    """A strap that samples at 51.2 Hz where 50 were agreed on."""
    _, second = _times([10.0, 10.1953125], [10**9, 10**9 + 195_312_500])
    assert second[0] - 10.0 == pytest.approx(1 / 51.2)
    assert second[-1] - second[-2] == pytest.approx(1 / 51.2)


def test_a_lost_frame_leaves_a_gap_and_does_not_stretch_the_next() -> None:
    first, second = _times([10.0, 10.4], [10**9, 10**9 + 400_000_000])
    assert second[0] - first[-1] == pytest.approx(0.22)


def test_a_frame_that_is_held_up_is_timed_as_if_it_had_not_been() -> None:
    first, second, third = _times([10.0, 10.9, 11.0], [10**9, 10**9 + 200_000_000, 10**9 + 400_000_000])
    assert second[-1] - first[-1] == pytest.approx(0.2, abs=1e-3)
    assert third[-1] - first[-1] == pytest.approx(0.4, abs=1e-3)


def test_a_clock_that_is_set_in_between_is_followed() -> None:
    _, second = _times([10.0, 10.2], [10**9, 10**18])
    assert second[-1] == pytest.approx(10.2)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=24)), max_size=12))
def test_arbitrary_indications_and_frames_raise_nothing_but_malformed_packet_error(
    packets: list[tuple[bool, bytes]],
) -> None:
    stream = AccelerationStream()
    stream.begin()
    for n, (is_frame, data) in enumerate(packets):
        try:
            accelerations = stream.push(data, float(n)) if is_frame else []
            if not is_frame:
                stream.on_control(b"\xf0" + data)
        except MalformedPacketError:
            continue
        assert all(len(block.at_s) == len(block.xyz_mps2) > 0 for block in accelerations)


@given(rate_hz=st.sampled_from([25, 50, 100, 200]), data=st.binary(min_size=6, max_size=60))
def test_arbitrary_frames_while_it_streams_give_samples_in_order(*, rate_hz: int, data: bytes) -> None:
    stream = streaming(rate_hz=rate_hz)
    try:
        accelerations = stream.push(bytes.fromhex(_HEAD) + data, 5.0)
    except MalformedPacketError:
        return
    for block in accelerations:
        assert list(block.at_s) == sorted(block.at_s)
