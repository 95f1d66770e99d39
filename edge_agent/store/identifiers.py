"""UUIDs of version 7 (RFC 9562, section 5.7): ids that sort by the time they were made at.

The time in one is what the clock said, right or wrong, and stays when a session is dated anew. Nothing is
ordered by it.
"""

from __future__ import annotations

import secrets
import uuid
from datetime import datetime

_TIMESTAMP_BITS, _A_BITS, _B_BITS = 48, 12, 62


def uuid7(at: datetime) -> uuid.UUID:
    """A new id with the Unix time of `at` in ms; the other 74 bits are random."""
    unix_ms = max(round(at.timestamp() * 1000), 0) & ((1 << _TIMESTAMP_BITS) - 1)
    version_and_a = 0x7 << _A_BITS | secrets.randbits(_A_BITS)
    variant_and_b = 0b10 << _B_BITS | secrets.randbits(_B_BITS)
    return uuid.UUID(int=unix_ms << 80 | version_and_a << 64 | variant_and_b)


def unix_ms_of(identifier: uuid.UUID) -> int | None:
    """The Unix time in ms that an id of version 7 was made at; None of any other id."""
    if identifier.version != 7 or identifier.variant != uuid.RFC_4122:  # noqa: PLR2004
        return None
    return identifier.int >> 80
