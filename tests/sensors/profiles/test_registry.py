"""Finding a profile by UUID, and what holds for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError, UnknownCharacteristicError
from edge_agent.sensors.profiles import heart_rate
from edge_agent.sensors.profiles.readings import Acceleration
from edge_agent.sensors.profiles.registry import CHARACTERISTICS, SERVICES, new_decoder, parse_characteristic

STREAMED = sorted(uuid for uuid, characteristic in CHARACTERISTICS.items() if characteristic.decoder)


@pytest.mark.parametrize(
    "uuid",
    ["2a37", "2A37", "0x2a37", "00002a37-0000-1000-8000-00805f9b34fb", "00002A3700001000800000805F9B34FB"],
)
def test_a_uuid_may_be_written_in_any_usual_way(uuid: str) -> None:
    assert parse_characteristic(uuid, b"\x00\x3c") == heart_rate.parse(b"\x00\x3c")


@pytest.mark.parametrize("uuid", ["2a00", "heart rate", "", "0x", "00002a37-0000-1000-8000-00805f9b34f"])
def test_an_unknown_characteristic_is_refused_with_the_list_of_known_ones(uuid: str) -> None:
    with pytest.raises(UnknownCharacteristicError, match=r"0x2A37 \(Heart Rate Measurement\)"):
        parse_characteristic(uuid, b"\x00\x3c")


def test_what_is_only_read_has_no_decoder() -> None:
    with pytest.raises(UnknownCharacteristicError, match=r"known are: .*Heart Rate Measurement"):
        new_decoder(heart_rate.BODY_SENSOR_LOCATION)


def test_every_service_streams_what_can_be_decoded() -> None:
    streamed = [uuid for service in SERVICES.values() for uuid in service.streams]
    assert sorted(streamed) == STREAMED


@pytest.mark.parametrize("uuid", CHARACTERISTICS)
@given(data=st.binary(max_size=64))
def test_arbitrary_bytes_raise_nothing_but_malformed_packet_error(uuid: str, data: bytes) -> None:
    if error := _error(uuid, data):
        assert error.field
        assert 0 <= error.offset <= len(data)


def _error(uuid: str, data: bytes) -> MalformedPacketError | None:
    try:
        CHARACTERISTICS[uuid].parse(data)
    except MalformedPacketError as error:
        return error
    return None


@pytest.mark.parametrize("uuid", STREAMED)
@given(packets=st.lists(st.tuples(st.binary(max_size=32), st.floats(0, 1e5)), max_size=10))
def test_arbitrary_sequences_give_only_readings_that_were_promised(
    uuid: str, packets: list[tuple[bytes, float]]
) -> None:
    decoder = new_decoder(uuid)
    for data, arrival_s in packets:
        try:
            readings = decoder.push(data, arrival_s)
        except MalformedPacketError:
            continue
        for reading in readings:
            if not isinstance(reading, Acceleration):
                assert reading.quantity in CHARACTERISTICS[uuid].quantities
                assert reading.at_s == arrival_s
