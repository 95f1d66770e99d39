"""The characteristics that can be decoded, by assigned number."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.errors import UnknownCharacteristicError
from edge_agent.sensors.profiles import heart_rate

PARSERS: dict[int, Callable[[bytes], object]] = {
    heart_rate.MEASUREMENT: heart_rate.parse,
}


def parse_characteristic(uuid: str, data: bytes) -> object:
    """Decode a characteristic.

    Args:
        uuid: assigned number in hex, `2a37` or `0x2A37`.
        data: its value.

    Raises:
        UnknownCharacteristicError: none that is known here.
        MalformedPacketError: the bytes do not follow its layout.
    """
    try:
        return PARSERS[int(uuid, 16)](data)
    except (KeyError, ValueError):
        raise UnknownCharacteristicError(uuid, tuple(PARSERS)) from None
