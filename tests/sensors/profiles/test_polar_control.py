"""The control point of Polar's measurement service."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.polar_control import (
    Command,
    Features,
    Measurement,
    Response,
    Setting,
    Status,
    Stopped,
    encode_features,
    encode_response,
    encode_settings,
    factor,
    get_settings,
    parse,
    parse_settings,
    start,
    stop,
)

ACCELERATION = Measurement.ACCELERATION


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param("0f 0500", Features((Measurement.ECG, ACCELERATION)), id="a strap's features"),
        pytest.param("0f 1002", Features((Measurement.SDK_MODE,)), id="reserved bits ignored"),
        pytest.param(
            "f0 02 02 00 00",
            Response(Command.START, ACCELERATION, Status.SUCCESS, more=False, parameters=b""),
            id="started",
        ),
        pytest.param(
            "f0 01 02 00 01 0004",
            Response(Command.GET_SETTINGS, ACCELERATION, Status.SUCCESS, more=True, parameters=b"\x00\x04"),
            id="settings that go on in the next response",
        ),
        pytest.param(
            "f0 03 02 00",
            Response(Command.STOP, ACCELERATION, Status.SUCCESS, more=False, parameters=b""),
            id="stopped",
        ),
        pytest.param(
            "f0 02 02 06 99",
            Response(Command.START, ACCELERATION, Status.ALREADY_IN_STATE, more=False, parameters=b""),
            id="refused, and without parameters then",
        ),
        pytest.param(
            "f0 02 08 63",
            Response(Command.START, None, Status.UNKNOWN, more=False, parameters=b""),
            id="not known here",
        ),
        pytest.param("01 02 00", Stopped((ACCELERATION, Measurement.ECG)), id="ended by the sensor"),
    ],
)
def test_decodes(data: str, expected: object) -> None:
    assert parse(bytes.fromhex(data)) == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("", "kind at offset 0: needs 1 byte"),
        ("02", "kind at offset 0: 0x02 is neither features, nor a response, nor a stop"),
        ("0f 05", "features at offset 1: needs 2 bytes, the packet has 1 left"),
        ("f0 63 02 00", "command at offset 1: 99 is not known"),
        ("f0 02 02", "status at offset 3: needs 1 byte"),
    ],
)
def test_a_malformed_value_is_refused_with_the_field_and_its_offset(data: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason):
        parse(bytes.fromhex(data))


def test_a_strap_offers_rates_resolution_and_ranges() -> None:
    assert parse_settings(bytes.fromhex("00 04 1900 3200 6400 c800  01 01 1000  02 03 0200 0400 0800")) == {
        Setting.SAMPLE_RATE_HZ: (25, 50, 100, 200),
        Setting.RESOLUTION_BITS: (16,),
        Setting.RANGE: (2, 4, 8),
    }


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ("00 02 1900", "sample_rate_hz at offset 4: needs 2 bytes, the packet has 0 left"),
        ("07 01 00", "setting at offset 0: 7 is not known"),
        ("00", "number of values at offset 1"),
    ],
)
def test_malformed_settings_are_refused(parameters: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason):
        parse_settings(bytes.fromhex(parameters))


@given(st.binary(max_size=40))
def test_arbitrary_settings_raise_nothing_but_malformed_packet_error(parameters: bytes) -> None:
    try:
        settings = parse_settings(parameters)
    except MalformedPacketError:
        return
    assert 0 < factor(settings) < float("inf")
    assert parse_settings(encode_settings(settings)) == settings


def test_a_factor_is_a_float() -> None:
    bits = struct.unpack("<I", struct.pack("<f", 0.25))[0]
    assert factor({Setting.FACTOR: (bits,)}) == 0.25
    assert factor({}) == 1.0


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 1e38])
def test_a_factor_that_cannot_be_is_1(value: float) -> None:
    bits = struct.unpack("<I", struct.pack("<f", value))[0]
    assert factor({Setting.FACTOR: (bits,)}) == 1.0


def test_commands() -> None:
    assert get_settings(ACCELERATION) == bytes.fromhex("01 02")
    assert stop(ACCELERATION) == bytes.fromhex("03 02")
    chosen = {Setting.SAMPLE_RATE_HZ: 200, Setting.RESOLUTION_BITS: 16, Setting.RANGE: 8}
    assert start(ACCELERATION, chosen) == bytes.fromhex("02 02 00 01 c800 01 01 1000 02 01 0800")


@given(
    st.builds(
        Response,
        st.sampled_from(Command),
        st.sampled_from(Measurement),
        st.just(Status.SUCCESS),
        more=st.booleans(),
        parameters=st.binary(max_size=20),
    )
)
def test_a_response_is_read_as_it_was_written(response: Response) -> None:
    assert response.measurement is not None
    assert parse(encode_response(response, response.measurement)) == response


@given(st.sets(st.sampled_from(Measurement)))
def test_features_are_read_as_they_were_written(measurements: set[Measurement]) -> None:
    features = Features(tuple(measurement for measurement in Measurement if measurement in measurements))
    assert parse(encode_features(features)) == features
