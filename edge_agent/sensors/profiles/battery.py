"""Battery Service 0x180F.

Source: Bluetooth SIG, Battery Service 1.0, section 3.1; GATT Specification Supplement, Battery Level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_agent.sensors.profiles.cursor import Cursor
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.sensors.profiles.uuids import assigned

SERVICE = assigned(0x180F)
LEVEL = assigned(0x2A19)

_FULL_PERCENT = 100


@dataclass(frozen=True, slots=True)
class BatteryLevel:
    """Charge of a battery.

    Attributes:
        percent: 0 to 100.
    """

    percent: int


def parse(data: bytes) -> BatteryLevel:
    """Decode a Battery Level (0x2A19).

    Raises:
        MalformedPacketError: it is empty, or above 100 %, which is reserved.
    """
    cursor = Cursor(LEVEL, data)
    percent = cursor.unsigned("battery level", 1)
    if percent > _FULL_PERCENT:
        cursor.refuse("battery level", f"{percent} % is reserved", offset=0)
    return BatteryLevel(percent)


def encode(level: BatteryLevel) -> bytes:
    """The Battery Level that `parse` reads."""
    return bytes([level.percent])


def readings(level: BatteryLevel, arrival_s: float) -> Iterator[Reading]:
    """The level as a reading."""
    yield Reading(Quantity.BATTERY, float(level.percent), arrival_s)
