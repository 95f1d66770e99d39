"""One vocabulary for the names of sports."""

from __future__ import annotations

from typing import Final

_SYNONYMS: Final = {
    "bike": "cycling",
    "biking": "cycling",
    "generic": "unknown",
    "other": "unknown",
    "run": "running",
    "swim": "swimming",
}
_LONGEST: Final = 32  # FIT's longest is `inline_skating`, TCX has three


def sport_name(text: object) -> str:
    """The name of a sport in a file, in lower case; `unknown` where there is none or it is not a plain word."""
    if not isinstance(text, str) or len(text) > _LONGEST or not (text.isascii() and text.isidentifier()):
        return "unknown"
    return _SYNONYMS.get(text.lower(), text.lower())
