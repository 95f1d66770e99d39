"""The feature contract: what one second of a session looks like to the workout model.

The device and the training both call `FeatureStream.push`, so the two cannot differ. What a feature needs of the past
is kept as running state: a push costs the same in the first minute and in the third hour.

A vector is laid out in groups (`GROUPS`), each starting with its `*_present` mask. The features of a load that is
missing are all zero, its mask included: a model trained with groups dropped at random serves any set of sensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.frame import Frame

CONTRACT = "workout-1"

# Longest gap that is bridged. Heart rate moves by 4 bpm in 30 s of running (mean over 58 runs) and more in intervals:
# beyond it, what is remembered misleads more than it helps.
GAP_S = 30

# Value (bpm) and scale (bpm) of heart rate: the middle and the half-width of where exercise happens.
_HEART_RATE_BPM, _HEART_RATE_SCALE_BPM = 130.0, 30.0
# Lag (s) and what its change is divided by (bpm): about its standard deviation over 53 runs.
_LAGS = (
    (1, 0.5),
    (2, 0.7),
    (3, 1.0),
    (5, 1.5),
    (8, 2.2),
    (13, 3.4),
    (20, 5.0),
    (30, 6.5),
    (45, 8.0),
    (60, 10.0),
    (90, 12.0),
    (120, 14.0),
)
_HISTORY_S = 128  # ring of past seconds: above the longest lag
_HEART_RATE_MEANS_S = (60, 300, 1200)
_OVER_MEAN_SCALE_BPM = 15.0
# How young the session is fades with these time constants: the onset of exercise, and the drift after it.
_AGES_S = (60, 600)

# Heart rate follows load with a time constant of 20-60 s: means on both sides of it, and one for the session's level.
_LOAD_MEANS_S = (5, 15, 30, 60, 120, 300)
# Centre and scale of each load, in its own unit. Climb and grade have a true zero.
_LOADS = {
    "speed": (2.5, 1.0),  # m/s: between walking and running
    "climb": (0.0, 0.2),  # m/s of altitude
    "grade": (0.0, 0.06),  # rise over distance
    "cadence": (70.0, 20.0),  # rpm
    "power": (150.0, 100.0),  # W
}

# Altitude comes in steps of 0.2 m: over this window one step is 0.013 m/s of climb, and 0.4 % of grade at 3 m/s.
_CLIMB_WINDOW_S = 15
_CLIMB_MIN_WINDOW_S = 5  # in the first seconds a step counts as if it had taken this long
_CLIMB_MAX_MPS = 2.0
_GRADE_MIN_DISTANCE_M = 8.0  # over the window: slower than a slow walk, a grade is noise and counts as flat
_GRADE_MAX = 0.35

# Values outside are missing: no person makes them.
_PLAUSIBLE = {
    "heart_rate_bpm": (25.0, 250.0),
    "speed_mps": (0.0, 50.0),
    "cadence_rpm": (0.0, 255.0),
    "power_w": (0.0, 3000.0),
    "altitude_m": (-500.0, 9000.0),
}

# Features are clipped here: several standard deviations out, where no training data taught the model anything.
_LIMIT = 6.0


def _layout() -> dict[str, tuple[str, ...]]:
    heart_rate = (
        "heart_rate_present",
        "heart_rate",
        *(f"heart_rate_change_{lag}s" for lag, _ in _LAGS),
        *(f"heart_rate_over_mean_{span}s" for span in _HEART_RATE_MEANS_S),
        *(f"session_age_{span}s" for span in _AGES_S),
    )
    loads = {
        load: (f"{load}_present", load, *(f"{load}_over_mean_{span}s" for span in _LOAD_MEANS_S)) for load in _LOADS
    }
    return {"heart_rate": heart_rate, **loads}


_LAYOUT = _layout()
FEATURE_NAMES = tuple(name for names in _LAYOUT.values() for name in names)
GROUPS = {
    group: slice(FEATURE_NAMES.index(names[0]), FEATURE_NAMES.index(names[-1]) + 1) for group, names in _LAYOUT.items()
}
_MISSING_HEART_RATE = (0.0,) * len(_LAYOUT["heart_rate"])
_MISSING_LOAD = (0.0,) * (2 + len(_LOAD_MEANS_S))


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """One second as the model sees it.

    Attributes:
        vector: float32 (features,), in the order of `FEATURE_NAMES`, always finite.
        anchor_bpm: the heart rate in bpm that a forecast change is added to, None while heart rate is missing.
        restarted: the model's state has to be zeroed before this second: heart rate is there for the first time in the
            session, or for the first time after more than `GAP_S` without it.
    """

    vector: NDArray[np.float32]
    anchor_bpm: float | None
    restarted: bool


class FeatureStream:
    """Turns frames into features, one second after another without leaving any out."""

    def __init__(self) -> None:
        self._loads = {load: _Load(centre, scale) for load, (centre, scale) in _LOADS.items()}
        self._slope = _Slope()
        self._heart_rate = _HeartRate()
        self._missing_s = 0

    def push(self, frame: Frame) -> Features:
        """Take in the next second.

        While heart rate is missing for at most `GAP_S` the last one stands in for it, with its mask at zero. After
        that everything is forgotten, and the stream starts anew with the next heart rate.
        """
        heart_rate_bpm = _plausible("heart_rate_bpm", frame.heart_rate_bpm)
        restarted = heart_rate_bpm is not None and not self._heart_rate.started
        if heart_rate_bpm is not None:
            self._missing_s = 0
        else:
            self._missing_s += 1
            if self._missing_s == GAP_S + 1:
                self._forget()
        values = self._heart_rate.push(heart_rate_bpm)
        speed_mps = _plausible("speed_mps", frame.speed_mps)
        climb_mps, grade = self._slope.push(_plausible("altitude_m", frame.altitude_m), speed_mps)
        loads = self._loads
        values += loads["speed"].push(speed_mps)
        values += loads["climb"].push(climb_mps)
        values += loads["grade"].push(grade)
        values += loads["cadence"].push(_plausible("cadence_rpm", frame.cadence_rpm))
        values += loads["power"].push(_plausible("power_w", frame.power_w))
        vector = np.minimum(np.maximum(np.array(values, np.float32), -_LIMIT), _LIMIT)
        return Features(vector, heart_rate_bpm, restarted)

    def _forget(self) -> None:
        self._heart_rate = _HeartRate()
        self._slope = _Slope()
        for load in self._loads.values():
            load.forget()


def feature_matrix(
    frames: Iterable[Frame],
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Features of a whole session, made by the stream the device uses.

    Returns:
        Features float32 (seconds, features), anchors in bpm float32 (seconds,) with NaN where heart rate is missing,
        and restarts bool (seconds,).
    """
    stream = FeatureStream()
    steps = [stream.push(frame) for frame in frames]
    x = np.array([step.vector for step in steps], np.float32).reshape(-1, len(FEATURE_NAMES))
    anchors_bpm = np.array([math.nan if step.anchor_bpm is None else step.anchor_bpm for step in steps], np.float32)
    return x, anchors_bpm, np.array([step.restarted for step in steps], np.bool_)


def _plausible(channel: str, value: float | None) -> float | None:
    """The value, or None where it is missing, not a number or outside of what a person makes."""
    if value is None:
        return None
    low, high = _PLAUSIBLE[channel]
    return value if low <= value <= high else None


class _HeartRate:
    """Heart rate against its own past."""

    __slots__ = ("_means", "_past", "_second", "started")

    def __init__(self) -> None:
        self.started = False
        self._second = 0
        self._past: list[float] = []
        self._means: list[float] = []

    def push(self, heart_rate_bpm: float | None) -> list[float]:
        past = self._past
        if not self.started:
            if heart_rate_bpm is None:
                return list(_MISSING_HEART_RATE)
            self.started = True
            past.extend([heart_rate_bpm] * _HISTORY_S)
            self._means = [heart_rate_bpm] * len(_HEART_RATE_MEANS_S)
        self._second = second = self._second + 1
        held_bpm = past[(second - 1) % _HISTORY_S] if heart_rate_bpm is None else heart_rate_bpm
        past[second % _HISTORY_S] = held_bpm
        values = [
            0.0 if heart_rate_bpm is None else 1.0,
            (held_bpm - _HEART_RATE_BPM) / _HEART_RATE_SCALE_BPM,
        ]
        values += [(held_bpm - past[(second - lag) % _HISTORY_S]) / scale_bpm for lag, scale_bpm in _LAGS]
        _follow(self._means, _HEART_RATE_MEANS_S, held_bpm, second)
        values += [(held_bpm - mean_bpm) / _OVER_MEAN_SCALE_BPM for mean_bpm in self._means]
        values += [math.exp(-second / span) for span in _AGES_S]
        return values


class _Load:
    """One load against its own slow means."""

    __slots__ = ("_centre", "_means", "_missing_s", "_scale", "_seconds")

    def __init__(self, centre: float, scale: float) -> None:
        self._centre = centre
        self._scale = scale
        self.forget()

    def forget(self) -> None:
        self._means = [0.0] * len(_LOAD_MEANS_S)
        self._seconds = 0
        self._missing_s = 0

    def push(self, value: float | None) -> Iterable[float]:
        if value is None:
            self._missing_s += 1
            if self._missing_s == GAP_S + 1:
                self.forget()
            return _MISSING_LOAD
        self._missing_s = 0
        self._seconds += 1
        _follow(self._means, _LOAD_MEANS_S, value, self._seconds)
        scale = self._scale
        return [1.0, (value - self._centre) / scale, *[(value - mean) / scale for mean in self._means]]


def _follow(means: list[float], spans_s: tuple[int, ...], value: float, seconds: int) -> None:
    """Move exponential means towards a value; until a span has passed, its mean is the plain one of all values."""
    for i, span in enumerate(spans_s):
        means[i] += (value - means[i]) / (seconds if seconds < span else span)  # noqa: FURB136 - min() is slower


class _Slope:
    """Climb and grade over the last seconds, from altitude and from the distance that speed adds up to."""

    __slots__ = ("_altitude_m", "_altitude_s", "_both_s", "_distance_m", "_second")

    def __init__(self) -> None:
        self._altitude_m = [0.0] * (_CLIMB_WINDOW_S + 1)
        self._distance_m = [0.0] * (_CLIMB_WINDOW_S + 1)
        self._second = 0
        self._altitude_s = 0  # seconds that altitude has been there
        self._both_s = 0  # seconds that altitude and speed have been there

    def push(self, altitude_m: float | None, speed_mps: float | None) -> tuple[float | None, float | None]:
        """Climb in m/s and grade as a fraction, None where there is nothing to make them from."""
        size = _CLIMB_WINDOW_S + 1
        before, now = self._second % size, (self._second + 1) % size
        self._second += 1
        self._distance_m[now] = self._distance_m[before] + (speed_mps or 0.0)
        if altitude_m is None:
            self._altitude_s = self._both_s = 0
            return None, None
        self._altitude_m[now] = altitude_m
        self._altitude_s += 1
        self._both_s = 0 if speed_mps is None else self._both_s + 1
        climb_mps = grade = None
        if self._altitude_s > 1:
            window_s = min(self._altitude_s - 1, _CLIMB_WINDOW_S)
            rise_m = altitude_m - self._altitude_m[(now - window_s) % size]
            climb_mps = rise_m / max(window_s, _CLIMB_MIN_WINDOW_S)
            climb_mps = min(max(climb_mps, -_CLIMB_MAX_MPS), _CLIMB_MAX_MPS)
        if self._both_s > 1:
            start = (now - min(self._both_s - 1, _CLIMB_WINDOW_S)) % size
            distance_m = self._distance_m[now] - self._distance_m[start]
            rise_m = altitude_m - self._altitude_m[start]
            grade = rise_m / distance_m if distance_m > _GRADE_MIN_DISTANCE_M else 0.0
            grade = min(max(grade, -_GRADE_MAX), _GRADE_MAX)
        return climb_mps, grade
