"""A heart rate to come down to after an effort, and the moment at which an athlete does."""

from __future__ import annotations

# Somebody who stands at the target goes above and below it with every breath. Only who was clearly above it, for long
# enough to call it an effort, comes down to it.
_ABOVE_BPM = 10.0
_ABOVE_S = 10


class Target:
    """Of one athlete.

    Attributes:
        heart_rate_bpm: the target; None where none is set.
    """

    def __init__(self, heart_rate_bpm: float | None) -> None:
        self.heart_rate_bpm = heart_rate_bpm
        self._above_s = 0

    def reached(self, heart_rate_bpm: float | None) -> bool:
        """Take a second's heart rate, None where there is none; whether it has come down to the target with it."""
        if self.heart_rate_bpm is None or heart_rate_bpm is None:
            return False
        if heart_rate_bpm >= self.heart_rate_bpm + _ABOVE_BPM:
            self._above_s += 1
        elif self._above_s < _ABOVE_S:
            self._above_s = 0
        if heart_rate_bpm > self.heart_rate_bpm or self._above_s < _ABOVE_S:
            return False
        self._above_s = 0
        return True
