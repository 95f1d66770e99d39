"""The Device Information decoders."""

from __future__ import annotations

import pytest
from bumble.profiles.device_information_service import DeviceInformationService
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.device_information import (
    MODEL_NUMBER,
    PnpId,
    SystemId,
    Text,
    VendorSource,
    encode_pnp_id,
    encode_system_id,
    encode_text,
    parse_pnp_id,
    parse_system_id,
    parse_text,
)


@pytest.mark.parametrize(
    ("data", "text"), [(b"H10", "H10"), (b"", ""), (b"H10\0\0", "H10"), ("Größe".encode(), "Größe")]
)
def test_a_string_is_read_without_its_padding(data: bytes, text: str) -> None:
    assert parse_text(MODEL_NUMBER, data) == Text(text)


def test_what_is_not_utf_8_is_refused_where_it_goes_wrong() -> None:
    with pytest.raises(MalformedPacketError, match=r"malformed 0x2A24 .* text at offset 2: not UTF-8"):
        parse_text(MODEL_NUMBER, b"H1\xff0")


@given(st.text().map(lambda text: text.rstrip("\0")))
def test_a_string_is_read_as_it_was_written(text: str) -> None:
    assert parse_text(MODEL_NUMBER, encode_text(Text(text))) == Text(text)


@given(oui=st.integers(0, 0xFFFFFF), manufacturer=st.integers(0, 0xFFFFFFFFFF))
def test_a_system_id_is_shown_with_the_organisation_first(oui: int, manufacturer: int) -> None:
    data = DeviceInformationService.pack_system_id(oui, manufacturer)  # type: ignore[no-untyped-call]
    value = parse_system_id(data)
    assert value == SystemId(f"{oui:06x}{manufacturer:010x}")
    assert encode_system_id(value) == data


def test_a_pnp_id_names_vendor_product_and_version() -> None:
    value = PnpId(VendorSource.BLUETOOTH_SIG, vendor=0x006B, product=0x0040, version=0x0312)
    assert parse_pnp_id(bytes.fromhex("01 6b00 4000 1203")) == value
    assert encode_pnp_id(value) == bytes.fromhex("01 6b00 4000 1203")


@given(
    st.builds(PnpId, st.none() | st.sampled_from(VendorSource), *[st.integers(0, 0xFFFF)] * 3),
)
def test_a_pnp_id_is_read_as_it_was_written(value: PnpId) -> None:
    assert parse_pnp_id(encode_pnp_id(value)) == value


def test_a_reserved_vendor_source_is_none() -> None:
    assert parse_pnp_id(bytes(7)).vendor_source is None


@pytest.mark.parametrize("parse", [parse_system_id, parse_pnp_id])
def test_a_short_identifier_is_refused(parse: object) -> None:
    assert callable(parse)
    with pytest.raises(MalformedPacketError, match="needs"):
        parse(bytes(6))
