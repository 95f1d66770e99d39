"""What to do with an adapter that is stuck: a ladder, sans-IO."""

from __future__ import annotations

import math
from enum import IntEnum


class Rung(IntEnum):
    """From the mildest to the last."""

    RESTART_SCAN = 0
    REMOVE_STALE = 1
    """Remove what the daemon remembers of our sensors: an attempt that was killed half-way blocks the next ones."""
    POWER_CYCLE = 2
    RESET = 3
    """Reset the hardware, where the means are installed."""
    TELL_USER = 4


# What a rung did has to show before the next one: an adapter that was switched off and on is back within 2 s and hears
# somebody within another one or two.
STEP_S = 8.0

# After the last rung the ladder is climbed again: an adapter may be replugged any time, and a power cycle that did not
# help disturbs whoever else uses Bluetooth here. So first after ten minutes, and less often the longer it lasts.
FIRST_REST_S = 600.0
LONGEST_REST_S = 3600.0


class RecoveryLadder:
    """Climbs one rung with each trouble, and comes down with a sign of life."""

    def __init__(self) -> None:
        self._next_at_s = -math.inf
        self.healthy()

    def healthy(self) -> None:
        """The adapter does what it should."""
        self._next = Rung.RESTART_SCAN
        self._rest_s = FIRST_REST_S

    def trouble(self, now_s: float, *, links_up: bool) -> Rung | None:
        """It does not.

        Args:
            now_s: monotonic time.
            links_up: whether another sensor is connected: it is not cut off for the sake of one that is missing.

        Returns:
            What to do now; None while nothing more can be done.
        """
        if now_s < self._next_at_s:
            return None
        rung = self._next
        if links_up and rung >= Rung.POWER_CYCLE:
            return None
        if rung is Rung.TELL_USER:
            self._next = Rung.RESTART_SCAN
            self._next_at_s = now_s + self._rest_s
            self._rest_s = min(self._rest_s * 2, LONGEST_REST_S)
        else:
            self._next = Rung(rung + 1)
            self._next_at_s = now_s + STEP_S
        return rung
