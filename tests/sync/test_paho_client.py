"""Texts in the properties of what a broker sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import MalformedPacket, Properties  # type: ignore[attr-defined]

from edge_agent.sync.paho_client import mend_paho

USER_PROPERTY = b"\x26"  # its identifier (MQTT 5, section 2.2.2.2)


def text(content: bytes) -> bytes:
    return len(content).to_bytes(2) + content


def read(properties: bytes) -> list[tuple[str, str]]:
    mend_paho()
    found = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    found.unpack(bytes([len(properties)]) + properties)  # type: ignore[no-untyped-call]
    return list(found.UserProperty)  # type: ignore[attr-defined]


@given(st.text(max_size=20), st.text(max_size=20))
def test_every_text_that_a_broker_passes_on_is_read(name: str, value: str) -> None:
    assert read(USER_PROPERTY + text(name.encode()) + text(value.encode())) == [(name, value)]


def test_a_byte_order_mark_is_a_character_like_any_other() -> None:
    assert read(USER_PROPERTY + text("\ufeffa".encode()) + text(b"b")) == [("\ufeffa", "b")]


def test_what_is_no_text_does_not_end_the_connection() -> None:
    assert read(USER_PROPERTY + text(b"a") + text(b"\xff")) == [("a", "\ufffd")]


def test_a_text_longer_than_its_packet_is_refused() -> None:
    with pytest.raises(MalformedPacket, match="longer than what is left"):
        read(USER_PROPERTY + text(b"a") + b"\x00\x09b")
