"""When to try a sensor: its state machine, sans-IO. Time and chance come in as arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from edge_agent.sensors.links.states import ADVICE, Cause, LinkState

# A sensor that was heard this long ago may still be there: the scan reports one that goes on advertising only now and
# then (BlueZ leaves duplicates out), and BlueZ forgets one 30 s after it was last heard.
SIGHTING_S = 10.0

# A link that held this long or brought a frame was a good one, and the failures before it count no more: at the edge
# of range every link may be short, and is worth having for its frames. One that a sensor ends because it is held by
# another device, or because the keys of a bond differ, ends within a second or two and brings none.
STABLE_S = 3.0

# Bonded sensors: this often in a row a link that ends in its first seconds is no accident any more, the keys differ.
BOND_FAILURES = 3


@dataclass(frozen=True, slots=True)
class BackOff:
    """How long to wait after one failure, and at most after many; it doubles in between."""

    first_s: float
    most_s: float


BACK_OFF = {
    # It was there and left: it is waited for, and taken as soon as it is heard.
    Cause.LINK_LOST: BackOff(0.0, 5.0),
    # The strap may be closing its former link, some need half a second for it. One that hangs up again and again takes
    # about a second of the adapter each time, and one at the edge of range may hold the next time.
    Cause.HUNG_UP: BackOff(0.5, 5.0),
    # The attempt took 15 s already; a sensor at the edge of range gets half of the adapter's time at most.
    Cause.NO_ANSWER: BackOff(0.5, 15.0),
    # Whatever holds the adapter takes about a second: a scan to stop, a connection of somebody else.
    Cause.BUSY: BackOff(1.0, 10.0),
    Cause.FAILED: BackOff(1.0, 30.0),
    Cause.SILENT: BackOff(0.5, 60.0),
}


class SensorMachine:
    """One sensor's link.

    `due` says when to connect; the caller tells what happened.
    """

    def __init__(self, random: Random, *, bonded: bool) -> None:
        self._random = random
        self._bonded = bonded
        self.state = LinkState.SEARCHING
        self.cause: Cause | None = None
        self.failures = 0
        self.connects = 0
        self._seen_s = -math.inf
        self._not_before_s = -math.inf
        self._connected_s = -math.inf
        self._carried = False

    @property
    def not_before_s(self) -> float:
        """When the next attempt may begin, if the sensor has been heard."""
        return self._not_before_s

    def wants_scan(self) -> bool:
        """Whether the sensor is looked for."""
        return self.state in {LinkState.SEARCHING, LinkState.WAITING}

    def due(self, now_s: float) -> bool:
        """Whether to connect now."""
        return self.wants_scan() and now_s >= self._not_before_s and now_s - self._seen_s <= SIGHTING_S

    def seen(self, now_s: float) -> None:
        """It was heard advertising."""
        self._seen_s = now_s

    def start_over(self) -> None:
        """Its user has done what was asked: look for it as if nothing had been."""
        self.state = LinkState.SEARCHING
        self.cause = None
        self.failures = 0
        self._not_before_s = -math.inf

    def attempt(self) -> None:
        """An attempt begins."""
        self.state = LinkState.CONNECTING

    def connected(self, now_s: float) -> None:
        """It is connected and subscribed to."""
        self.state = LinkState.CONNECTED
        self.cause = None
        self.connects += 1
        self._connected_s = now_s
        self._carried = False

    def carried(self) -> None:
        """A good frame came over the link."""
        self._carried = True

    def ended(self, cause: Cause, now_s: float) -> Cause:
        """The attempt or the link ended.

        Returns:
            The cause, as far as it can be told from what happened before.
        """
        if cause is Cause.LINK_LOST and not self._carried and now_s - self._connected_s < STABLE_S:
            cause = Cause.HUNG_UP
        if cause is Cause.LINK_LOST:
            self.failures = 0
            self._seen_s = -math.inf  # what was heard before says nothing of now
        else:
            self.failures += 1
        if self._bonded and cause in {Cause.HUNG_UP, Cause.FAILED} and self.failures >= BOND_FAILURES:
            cause = Cause.BOND_LOST
        self.cause = cause
        if cause in ADVICE:
            self.state = LinkState.NEEDS_USER
            return cause
        pause_s = self._pause_s(BACK_OFF[cause])
        self._not_before_s = now_s + pause_s
        self.state = LinkState.WAITING if pause_s else LinkState.SEARCHING
        return cause

    def _pause_s(self, back_off: BackOff) -> float:
        """Doubled with every failure in a row, and a random part of it, so that sensors do not all try at once."""
        longest_s = min(back_off.first_s * 2.0 ** min(max(self.failures - 1, 0), 10), back_off.most_s)
        return longest_s * self._random.uniform(0.5, 1.0)
