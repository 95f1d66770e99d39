"""Whether a sensor's data is alive, which is not the same as its link: sans-IO."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge_agent.config import Role
from edge_agent.sensors.links.states import Alert, SignalState
from edge_agent.sensors.profiles.readings import Acceleration, Quantity, Reading

# A strap sends every second, some every two: three frames of the slower kind missing are no accident.
LIVE_S = 6.0

# Of 94 recorded sessions (182,000 s) 93 held no heart rate for longer than 72 s; the last held one for 1166 s, which no
# heart does. A sensor that sends beat-to-beat intervals shows by them that it is alive.
STALL_S = 90.0

# Intervals come with every beat; at 30 beats per minute, the slowest plausible heart, every 2 s.
RR_MISSING_S = 15.0

# Most straps run for days from here on, and a CR2025 has little left to fall.
LOW_BATTERY_PERCENT = 15

_MOVING = {Quantity.RR_INTERVAL, Quantity.HEART_RATE}


class DataHealth:
    """The data clock of one sensor. Times are the agent's monotonic seconds."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._frame_s = -math.inf
        self._contact = True
        self._moved_s = -math.inf
        self._last_value: tuple[float, ...] = ()
        self._rr_s: float | None = None
        self.battery_percent: int | None = None

    def frame(self, readings: Sequence[Reading | Acceleration], now_s: float) -> None:
        """A good frame of its stream came."""
        value: list[float] = []
        self._contact = True
        for reading in readings:
            if isinstance(reading, Acceleration):
                continue
            if reading.quantity is Quantity.SENSOR_CONTACT:
                self._contact = bool(reading.value)
            elif reading.quantity in _MOVING:
                value.append(reading.value)
                if reading.quantity is Quantity.RR_INTERVAL:
                    self._rr_s = now_s
        if now_s - self._frame_s > LIVE_S or tuple(value) != self._last_value:
            self._last_value = tuple(value)
            self._moved_s = now_s
        self._frame_s = now_s

    def battery(self, percent: float) -> None:
        """Its battery was read; that says nothing of its stream."""
        self.battery_percent = round(percent)

    def frame_age_s(self, now_s: float) -> float | None:
        """Since the last good frame; None when there was none."""
        return None if math.isinf(self._frame_s) else now_s - self._frame_s

    def signal(self, now_s: float) -> SignalState:
        """Where the data is."""
        if now_s - self._frame_s > LIVE_S:
            return SignalState.NO_SIGNAL
        if not self._contact:
            return SignalState.NO_CONTACT
        # A treadmill's speed may stand still for an hour.
        if self._role is Role.HEART_RATE and now_s - self._moved_s > STALL_S:
            return SignalState.STALLED
        return SignalState.LIVE

    def alerts(self, now_s: float) -> tuple[Alert, ...]:
        """What is wrong beside the value."""
        found = []
        sending = self.signal(now_s) in {SignalState.LIVE, SignalState.STALLED}
        if sending and self._rr_s is not None and now_s - self._rr_s > RR_MISSING_S:
            found.append(Alert.RR_MISSING)
        if self.battery_percent is not None and self.battery_percent <= LOW_BATTERY_PERCENT:
            found.append(Alert.BATTERY_LOW)
        return tuple(found)
