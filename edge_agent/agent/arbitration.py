"""Who counts when two sensors give the same quantity: the preferred one, without going back and forth."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Another sensor takes over when the one that counts has been silent for this long: longer than the 2 s between two
# frames of the slower straps, and short enough that the grid, which bridges 3 s, has hardly a second without a value.
TAKE_OVER_S = 2.5

# The preferred sensor that was away has to be there for this long before it counts again: one at the edge of range
# comes and goes every few seconds.
RETURN_S = 10.0


class Arbiter:
    """Of one quantity of one athlete.

    Attributes:
        order: labels of its sensors, the preferred one first.
        winner: label of the one that counts now; None before the first.
    """

    def __init__(self, order: Sequence[str]) -> None:
        self.order = tuple(order)
        self.winner: str | None = None
        self._good_s: dict[str, float] = {}
        self._good_since_s: dict[str, float] = {}

    def offer(self, sensor: str, at_s: float, *, good: bool = True) -> bool:
        """A sensor gives a value.

        Args:
            sensor: its label, one of `order`.
            at_s: when, on the agent's clock.
            good: whether the value is worth anything; a strap off the body loses to one on it.

        Returns:
            Whether the value counts.
        """
        if good:
            if at_s - self._good_s.get(sensor, -math.inf) > TAKE_OVER_S:
                self._good_since_s[sensor] = at_s
            self._good_s[sensor] = at_s
        if sensor != self.winner and self._takes_over(sensor, at_s, good=good):
            self.winner = sensor
        return sensor == self.winner

    def _takes_over(self, sensor: str, at_s: float, *, good: bool) -> bool:
        if self.winner not in self.order:
            return True
        if not good:
            return False
        if at_s - self._good_s.get(self.winner, -math.inf) > TAKE_OVER_S:
            return True
        preferred = self.order.index(sensor) < self.order.index(self.winner)
        return preferred and at_s - self._good_since_s[sensor] >= RETURN_S
