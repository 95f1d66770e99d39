"""Heartline's device agent: from a heart-rate strap to a forecast, a durable record and a summary at a broker."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
