"""Everything `converters` raises on purpose."""

from __future__ import annotations


class ConversionError(Exception):
    """Root of the conversion errors; the command prints it in one line and ends with status 2."""
