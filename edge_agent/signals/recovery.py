"""The feature contract of the recovery model: a recovery, second by second, as the model sees it.

Everything is relative to the person and the session: to the heart rate at the stop, and to the lowest of the session,
which stands in for a resting heart rate that nobody was asked for. The first-order fall towards that baseline is itself
a feature, and what the model corrects. Every step costs the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.effort import HOLD_S, RECOVERY_S, EffortDetector, EffortStop
from edge_agent.signals.frame import Frame

CONTRACT = "recovery-1"

# Seconds after the stop that are forecast: HRR60 and HRR120 are what the literature reports.
HORIZONS_S = (60, 120)

# Time constant (s) of the first-order fall that the model corrects. The exact value matters little, since the model
# learns what is left over: fits over the public recordings lie between 130 and 220 s, for the fast phase is over by
# then.
_TAU_S = 150.0

FEATURE_NAMES = (
    "heart_rate_present",
    "elapsed",
    "just_stopped",
    "excess",
    "rise_at_stop",
    "drop_since_stop",
    "change_10s",
    "change_20s",
    "change_before_stop",
    "effort_length",
    "load_present",
    "load_since_stop",
    "fall_60",
    "fall_120",
    "reach_60",
    "reach_120",
)
# Scale (bpm) of the first-order falls, and of the model's corrections to them.
FALL_SCALE_BPM = (10.0, 20.0)

_HISTORY_S = 256  # ring of past seconds: a stop found from heart rate is announced up to a minute late
_LIMIT = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class RecoverySecond:
    """One second of a recovery.

    Attributes:
        stop: the effort it follows.
        elapsed_s: seconds since the stop.
        vector: float32 (features,), in the order of `FEATURE_NAMES`, always finite.
        now_bpm: heart rate in bpm that a forecast change is added to: the last one, at most `HOLD_S` old.
        at_stop_bpm: heart rate at the stop.
        baseline_bpm: lowest smoothed heart rate of the session so far.
        announced: it is the first second of this recovery; the model's state has to be zeroed before it.
    """

    stop: EffortStop
    elapsed_s: int
    vector: NDArray[np.float32]
    now_bpm: float
    at_stop_bpm: float
    baseline_bpm: float
    announced: bool


class RecoveryStream:
    """Turns frames into the seconds of recoveries, one second after another without leaving any out."""

    def __init__(self) -> None:
        self._detector = EffortDetector()
        self._heart_rate = [math.nan] * _HISTORY_S
        self._seen_s = -HOLD_S - 1
        self._load_seen_s = self._seen_s
        self._load_share = 0.0
        self._load_sum = self._load_seconds = 0.0
        self._at_stop_bpm = self._before_stop_bpm = math.nan
        self._fresh = False

    def step(self, frame: Frame) -> RecoverySecond | None:
        """Take in the next second; None outside of recoveries and while heart rate is missing for long."""
        t_s, bpm = frame.t_s, frame.heart_rate_bpm
        if bpm is not None:
            self._seen_s = t_s
        elif t_s - self._seen_s <= HOLD_S:
            bpm = self._past(t_s - 1)
        else:
            bpm = math.nan
        self._heart_rate[t_s % _HISTORY_S] = bpm
        if (announced := self._detector.step(frame)) is not None:
            self._begin(announced)
        stop = self._detector.stop
        if stop is None:
            return None
        self._follow_load(frame, stop)
        if bpm != bpm or self._at_stop_bpm != self._at_stop_bpm:  # noqa: PLR0124 - NaN
            return None
        fresh, self._fresh = self._fresh, False
        return self._second(frame, stop, bpm, announced=fresh)

    def _past(self, t_s: int) -> float:
        return self._heart_rate[t_s % _HISTORY_S]

    def _begin(self, stop: EffortStop) -> None:
        self._at_stop_bpm = self._past(stop.stop_t_s)
        self._before_stop_bpm = self._past(stop.stop_t_s - 30)
        self._load_sum = self._load_seconds = self._load_share = 0.0
        self._fresh = True

    def _follow_load(self, frame: Frame, stop: EffortStop) -> None:
        if stop.channel is None:
            return
        load: float | None = getattr(frame, stop.channel)
        if load is not None:
            self._load_seen_s = frame.t_s
            self._load_share = load / stop.load
        self._load_sum += self._load_share
        self._load_seconds += 1

    def _second(self, frame: Frame, stop: EffortStop, bpm: float, *, announced: bool) -> RecoverySecond:
        elapsed_s = frame.t_s - stop.stop_t_s
        baseline_bpm = self._detector.lowest_bpm
        excess_bpm = bpm - baseline_bpm
        at_stop_bpm = self._at_stop_bpm
        load_present = stop.channel is not None and frame.t_s - self._load_seen_s <= HOLD_S
        left_s = [max(h - elapsed_s, 0) for h in HORIZONS_S]
        values = [
            0.0 if frame.heart_rate_bpm is None else 1.0,
            elapsed_s / RECOVERY_S,
            math.exp(-elapsed_s / 20),
            excess_bpm / 50,
            (at_stop_bpm - baseline_bpm) / 50,
            (at_stop_bpm - bpm) / 20,
            _finite((bpm - self._past(frame.t_s - 10)) / 6),
            _finite((bpm - self._past(frame.t_s - 20)) / 12),
            _finite((at_stop_bpm - self._before_stop_bpm) / 8),
            math.log(max(stop.effort_s, 30) / 300),
            float(load_present),
            self._load_sum / self._load_seconds if load_present else 0.0,
            *(
                excess_bpm * math.expm1(-left / _TAU_S) / scale
                for left, scale in zip(left_s, FALL_SCALE_BPM, strict=True)
            ),
            *(math.sqrt(left / h) for left, h in zip(left_s, HORIZONS_S, strict=True)),
        ]
        vector = np.array([min(max(value, -_LIMIT), _LIMIT) for value in values], np.float32)
        return RecoverySecond(stop, elapsed_s, vector, bpm, at_stop_bpm, baseline_bpm, announced)


def _finite(value: float) -> float:
    """The value, or no change where the past is not known."""
    return value if math.isfinite(value) else 0.0
