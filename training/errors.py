"""Everything `training` raises on purpose."""

from __future__ import annotations


class TrainingError(Exception):
    """Root of the training errors; the command prints it in one line and ends with status 2."""
