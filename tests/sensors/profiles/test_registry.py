"""Decoding a characteristic by its assigned number."""

from __future__ import annotations

import pytest

from edge_agent.errors import UnknownCharacteristicError
from edge_agent.sensors.profiles import heart_rate
from edge_agent.sensors.profiles.registry import parse_characteristic


@pytest.mark.parametrize("uuid", ["2a37", "2A37", "0x2a37"])
def test_an_assigned_number_may_be_written_in_any_usual_way(uuid: str) -> None:
    assert parse_characteristic(uuid, b"\x00\x3c") == heart_rate.parse(b"\x00\x3c")


@pytest.mark.parametrize("uuid", ["2a00", "heart rate", ""])
def test_an_unknown_characteristic_is_refused_with_the_list_of_known_ones(uuid: str) -> None:
    with pytest.raises(UnknownCharacteristicError, match="2a37"):
        parse_characteristic(uuid, b"\x00\x3c")
