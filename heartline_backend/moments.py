"""Times as people write them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def parse_moment(text: str, zone: ZoneInfo) -> datetime:
    """A date, which is its midnight, or a date and time of ISO 8601; without a time zone it is in that of the backend.

    Raises:
        ValueError: it is neither; the message says what it has to be.
    """
    try:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=zone)
    except ValueError as error:
        msg = f"{text!r} is no date and no time; write it like 2026-03-01 or 2026-03-01T18:30"
        raise ValueError(msg) from error
