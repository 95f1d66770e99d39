"""Heartline's device agent: from a heart-rate strap to a forecast, a durable record and a summary at a broker."""

from __future__ import annotations

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("heartline")
