"""Puts what sensors measure at any time on the session's 1 Hz grid."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.sensors.profiles.readings import Acceleration, Quantity, Reading
from edge_agent.signals.frame import Frame

# A strap notifies once a second, some every two; so one lost notification of the slower kind is bridged, no more:
# a heart rate that stands still although nothing arrives is an invention. The same holds of a load.
HOLD_S = 3.0

# What a heart can do; anything else is a sensor without contact, whatever its contact bit says.
LOWEST_BPM = 25
HIGHEST_BPM = 250

# Notifications come a second apart. With the grid's edges half a second away from the first of them, jitter of up to
# half a second either way leaves one in each second.
PHASE_S = 0.5

# What a frame holds beside heart rate.
LOADS = (Quantity.SPEED, Quantity.CADENCE, Quantity.POWER, Quantity.GRADE)

# Of one leg's strides: half the steps of both feet.
_RPM_PER_SPM = 0.5


@dataclass(frozen=True, slots=True)
class HeartRate:
    """What one packet of a heart-rate sensor says.

    Attributes:
        bpm: None when the sensor is off the body, has no heart rate or says what no heart does.
        rr_intervals_ms: beat-to-beat intervals, oldest first.
    """

    bpm: float | None
    rr_intervals_ms: tuple[float, ...] = ()


def heart_rate_of(readings: Sequence[Reading | Acceleration]) -> HeartRate:
    """The heart rate in a packet's readings."""
    bpm: float | None = None
    contact = True
    rr_intervals_ms = []
    for reading in readings:
        if isinstance(reading, Acceleration):
            continue
        match reading.quantity:
            case Quantity.HEART_RATE if LOWEST_BPM <= reading.value <= HIGHEST_BPM:
                bpm = reading.value
            case Quantity.SENSOR_CONTACT:
                contact = bool(reading.value)
            case Quantity.RR_INTERVAL:
                rr_intervals_ms.append(reading.value)
    return HeartRate(bpm if contact else None, tuple(rr_intervals_ms))


def load_of(reading: Reading | Acceleration) -> Reading | None:
    """The load that a frame holds and this reading is of; None where there is none."""
    if isinstance(reading, Acceleration):
        return None
    if reading.quantity is Quantity.STEP_RATE:
        return Reading(Quantity.CADENCE, reading.value * _RPM_PER_SPM, reading.at_s)
    return reading if reading.quantity in LOADS else None


class _Load:
    """A quantity that may come several times in a second: its mean, held for a while when none comes."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0
        self._held: float | None = None
        self._since_s = -math.inf

    def add(self, value: float, at_s: float) -> None:
        self._sum += value
        self._count += 1
        self._since_s = at_s

    def of_second(self, end_s: float) -> float | None:
        if self._count:
            self._held = self._sum / self._count
            self._sum, self._count = 0.0, 0
        elif end_s - self._since_s > HOLD_S:
            self._held = None
        return self._held


class SecondGrid:
    """The seconds of one session, in order.

    Times are the clock's monotonic seconds. Second `k` spans [start_s + k, start_s + k + 1) and is due when it is over.
    """

    def __init__(self, first_arrival_s: float) -> None:
        self.start_s = first_arrival_s - PHASE_S
        self._heart_rates: deque[tuple[float, HeartRate]] = deque()
        self._held_bpm: float | None = None
        self._held_since_s = 0.0
        self._waiting: deque[Reading] = deque()
        self._loads = {quantity: _Load() for quantity in LOADS}
        self._altitude_m = 0.0
        self._next_t_s = 0

    @property
    def t_s(self) -> int:
        """The next second, which is not over yet or not asked for."""
        return self._next_t_s

    @property
    def due_s(self) -> float:
        """When the next second is over."""
        return self.start_s + self._next_t_s + 1

    def add(self, heart_rate: HeartRate, at_s: float) -> None:
        """Take a heart rate, in order of arrival."""
        self._heart_rates.append((at_s, heart_rate))

    def add_load(self, load: Reading) -> None:
        """Take a value of one of `LOADS`, in order of arrival."""
        self._waiting.append(load)

    def next_frame(self) -> Frame:
        """The next second, from all that arrived in it; to be called when it is due."""
        end_s = self.due_s
        rr_intervals_ms: list[float] = []
        while self._heart_rates and self._heart_rates[0][0] < end_s:
            at_s, heart_rate = self._heart_rates.popleft()
            rr_intervals_ms += heart_rate.rr_intervals_ms
            self._held_bpm = heart_rate.bpm
            self._held_since_s = at_s
        if end_s - self._held_since_s > HOLD_S:
            self._held_bpm = None
        while self._waiting and self._waiting[0].at_s < end_s:
            load = self._waiting.popleft()
            self._loads[load.quantity].add(load.value, load.at_s)
        loads = {quantity: load.of_second(end_s) for quantity, load in self._loads.items()}
        frame = Frame(
            self._next_t_s,
            heart_rate_bpm=self._held_bpm,
            rr_intervals_ms=tuple(rr_intervals_ms),
            speed_mps=loads[Quantity.SPEED],
            cadence_rpm=loads[Quantity.CADENCE],
            power_w=loads[Quantity.POWER],
            altitude_m=self._climb(loads[Quantity.SPEED], loads[Quantity.GRADE]),
        )
        self._next_t_s += 1
        return frame

    def _climb(self, speed_mps: float | None, grade: float | None) -> float | None:
        """Metres above the start, from the grade of a machine, which knows no altitude."""
        if speed_mps is None or grade is None:
            return None
        self._altitude_m += speed_mps * math.sin(math.atan(grade))
        return self._altitude_m
