"""The Battery Level decoder."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.battery import LEVEL, BatteryLevel, encode, parse
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.registry import new_decoder


@given(st.integers(0, 100))
def test_a_level_is_read_as_it_was_written(percent: int) -> None:
    assert parse(encode(BatteryLevel(percent))) == BatteryLevel(percent)
    assert new_decoder(LEVEL).push(bytes([percent]), 5.0) == [Reading(Quantity.BATTERY, percent, 5.0)]


@pytest.mark.parametrize(("data", "reason"), [("", "needs 1 byte"), ("65", "101 % is reserved")])
def test_what_is_no_percentage_is_refused(data: str, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=f"battery level at offset 0: {reason}"):
        parse(bytes.fromhex(data))
