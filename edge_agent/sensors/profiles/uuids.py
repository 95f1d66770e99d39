"""Bluetooth UUIDs, as bleak writes them: 128 bits in lower-case hex.

Source: Bluetooth Core Specification 5.4, volume 3, part B, section 2.5.1 (a 16-bit UUID stands for one on the base).
"""

from __future__ import annotations

from uuid import UUID

_BASE = "-0000-1000-8000-00805f9b34fb"


def assigned(number: int) -> str:
    """The UUID of an assigned number, e.g. 0x2A37."""
    return f"{number:08x}{_BASE}"


def shortest(uuid: str) -> str:
    """How people write it: the assigned number, `0x2A37`, or all of it where it has none."""
    return f"0x{uuid[4:8].upper()}" if uuid.startswith("0000") and uuid.endswith(_BASE) else uuid


def normalized(text: str) -> str:
    """The UUID that somebody wrote: `2a37`, `0x2A37`, or 128 bits with or without hyphens.

    Raises:
        ValueError: it is none.
    """
    digits = text.strip().casefold().removeprefix("0x")
    if len(digits) <= 8:  # noqa: PLR2004 - hex digits of a 32-bit UUID
        return assigned(int(digits, 16))
    return str(UUID(digits))
