"""Puts heart-rate measurements that arrive at any time on the session's 1 Hz grid."""

from __future__ import annotations

from collections import deque

from edge_agent.sensors.profiles.heart_rate import HeartRateMeasurement
from edge_agent.signals.frame import Frame

# A strap notifies once a second, some every two; so one lost notification of the slower kind is bridged, no more:
# a heart rate that stands still although nothing arrives is an invention.
HOLD_S = 3.0

# What a heart can do; anything else is a sensor without contact, whatever its contact bit says.
LOWEST_BPM = 25
HIGHEST_BPM = 250

# Notifications come a second apart. With the grid's edges half a second away from the first of them, jitter of up to
# half a second either way leaves one in each second.
PHASE_S = 0.5


class SecondGrid:
    """The seconds of one session, in order.

    Times are the clock's monotonic seconds. Second `k` spans [start_s + k, start_s + k + 1) and is due when it is over.
    """

    def __init__(self, first_arrival_s: float) -> None:
        self.start_s = first_arrival_s - PHASE_S
        self._waiting: deque[tuple[float, HeartRateMeasurement]] = deque()
        self._held_bpm: float | None = None
        self._held_since_s = 0.0
        self._next_t_s = 0

    @property
    def due_s(self) -> float:
        """When the next second is over."""
        return self.start_s + self._next_t_s + 1

    def add(self, measurement: HeartRateMeasurement, arrival_s: float) -> None:
        """Take a measurement, in order of arrival."""
        self._waiting.append((arrival_s, measurement))

    def next_frame(self) -> Frame:
        """The next second, from all that arrived in it; to be called when it is due."""
        end_s = self.due_s
        rr_intervals_ms: list[float] = []
        while self._waiting and self._waiting[0][0] < end_s:
            arrival_s, measurement = self._waiting.popleft()
            rr_intervals_ms += measurement.rr_intervals_ms
            self._held_bpm = valid_heart_rate_bpm(measurement)
            self._held_since_s = arrival_s
        if end_s - self._held_since_s > HOLD_S:
            self._held_bpm = None
        frame = Frame(self._next_t_s, heart_rate_bpm=self._held_bpm, rr_intervals_ms=tuple(rr_intervals_ms))
        self._next_t_s += 1
        return frame


def valid_heart_rate_bpm(measurement: HeartRateMeasurement) -> float | None:
    """The heart rate, or None when the sensor is off the body or says what no heart does."""
    if measurement.sensor_contact is False or not LOWEST_BPM <= measurement.heart_rate_bpm <= HIGHEST_BPM:
        return None
    return float(measurement.heart_rate_bpm)
