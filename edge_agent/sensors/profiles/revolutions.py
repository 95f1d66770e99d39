"""Counters of a wheel or a crank to a rate: roll-over, resets and stops.

A sensor sends how many revolutions it has counted and when the last of them ended, both in a few bits. Two packets make
a rate: revolutions between the two events over the time between them. What goes wrong between them:

- either counter rolls over: differences are taken modulo its range;
- the sensor restarts and counts from 0: the difference is then absurd, and counting begins anew from there;
- the wheel stands: packets repeat the last event or, from some sensors, stop. After `STOPPED_AFTER_S` without a new
  event the rate is 0, and the event that ends the stop measures nothing, for its interval includes the stop;
- so much time passes that the event time may have gone round unseen: the interval is not measured either.

Source: Cycling Speed and Cadence Service 1.0, section 3.1.1; Cycling Power Service 1.1, section 3.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

# A 2.1 m wheel that takes longer for one turn goes less than 0.7 m/s, which is pushing a bicycle; a crank turns slower
# than 20 rpm. Short enough that a display is not wrong for long when somebody stops.
STOPPED_AFTER_S = 3.0

# A packet may wait in the sensor or in the host while the link is bad, until the supervision timeout, usually 6 s at
# most; the two event times that are compared are each up to a notification interval old.
_LATE_BY_AT_MOST_S = 8.0

_EVENT_TIME_RANGE = 1 << 16


@dataclass(frozen=True, slots=True)
class Revolutions:
    """A counter as it is sent.

    Attributes:
        count: revolutions so far, modulo the counter's range.
        event_time: when the last of them ended, in the sensor's own units and modulo 65536.
    """

    count: int
    event_time: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What a packet added.

    Attributes:
        revolutions: since the packet before.
        per_s: revolutions per second now; None where it cannot be known yet.
    """

    revolutions: int
    per_s: float | None


class RevolutionRate:
    """One wheel or crank."""

    def __init__(self, *, count_bits: int, units_per_s: int, fastest_per_s: float) -> None:
        """Nothing has been counted yet.

        Args:
            count_bits: width of the counter of revolutions.
            units_per_s: units of the event time.
            fastest_per_s: revolutions per second that nobody reaches; what is above is a counter that began anew.
        """
        self._count_range = 1 << count_bits
        self._units_per_s = units_per_s
        self._fastest_per_s = fastest_per_s
        self._last: Revolutions | None = None
        self._last_event_arrival_s = 0.0
        self._stopped = False

    def push(self, now: Revolutions, arrival_s: float) -> Turn:
        """What a packet added to the ones before.

        Args:
            now: the counter in it.
            arrival_s: when it came, on a monotonic clock.
        """
        last = self._last
        if last is None:
            return self._begin(now, arrival_s)
        turned = (now.count - last.count) % self._count_range
        waited_s = arrival_s - self._last_event_arrival_s
        if turned == 0:
            self._stopped = self._stopped or waited_s >= STOPPED_AFTER_S
            return Turn(0, 0.0 if self._stopped else None)
        longest_s = waited_s + _LATE_BY_AT_MOST_S
        unambiguous = longest_s < _EVENT_TIME_RANGE / self._units_per_s
        took_s = (
            (now.event_time - last.event_time) % _EVENT_TIME_RANGE / self._units_per_s if unambiguous else longest_s
        )
        if not 0 < took_s <= longest_s or turned > self._fastest_per_s * took_s:
            return self._begin(now, arrival_s)  # another count than the one we followed
        per_s = turned / took_s if unambiguous and not self._stopped else None
        self._last, self._last_event_arrival_s, self._stopped = now, arrival_s, False
        return Turn(turned, per_s)

    def _begin(self, now: Revolutions, arrival_s: float) -> Turn:
        self._last, self._last_event_arrival_s, self._stopped = now, arrival_s, False
        return Turn(0, None)
