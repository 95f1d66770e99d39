"""From recordings to recoveries, through the detector and the features that the device uses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings.recording import Recording
from edge_agent.signals.effort import HOLD_S, EffortStop
from edge_agent.signals.recovery import FEATURE_NAMES, HORIZONS_S, RecoverySecond, RecoveryStream

# Forecasts are scored from here on: by then both a stop found from load and one found from heart rate are announced.
ORIGIN_S = 30
LENGTH_S = max(HORIZONS_S)

# Plausible recoveries fall, and by no more than a heart can.
_LEAST_FALL_BPM = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Recovered:
    """One recovery with what came of it.

    Attributes:
        recording: it is from.
        stop: the effort before it.
        x: features, float32 (`LENGTH_S`, features), row i of second `stop_t_s + 1 + i`; zeros where there is no
            forecast.
        known: rows that a forecast is made at, bool (`LENGTH_S`,).
        now_bpm: heart rate that a change is counted from, float32 (`LENGTH_S`,), NaN where not known.
        at_stop_bpm: heart rate at the stop.
        baseline_bpm: lowest smoothed heart rate until the announcement of the stop.
        outcome_bpm: heart rate at each horizon, float32 (horizons,), NaN where the recording does not say.
    """

    recording: Recording
    stop: EffortStop
    x: NDArray[np.float32]
    known: NDArray[np.bool_]
    now_bpm: NDArray[np.float32]
    at_stop_bpm: float
    baseline_bpm: float
    outcome_bpm: NDArray[np.float32]

    @property
    def change_bpm(self) -> NDArray[np.float32]:
        """Change until each horizon, float32 (`LENGTH_S`, horizons); NaN where not known or already past."""
        elapsed_s = np.arange(1, LENGTH_S + 1)[:, None]
        change_bpm = self.outcome_bpm - self.now_bpm[:, None]
        return np.where((elapsed_s < np.array(HORIZONS_S)) & self.known[:, None], change_bpm, np.float32(np.nan))


def recoveries(recording: Recording) -> list[Recovered]:
    """Every recovery that the device would find in a recording and that goes on for at least a minute."""
    stream = RecoveryStream()
    found: list[list[RecoverySecond]] = []
    for frame in recording.frames():
        if (second := stream.step(frame)) is None:
            continue
        if second.announced:
            found.append([])
        found[-1].append(second)
    return [made for seconds in found if (made := _recovered(recording, seconds)) is not None]


def all_recoveries(recordings: Iterable[Recording]) -> list[Recovered]:
    """The recoveries of several recordings, in their order."""
    return [recovered for recording in recordings for recovered in recoveries(recording)]


def _recovered(recording: Recording, seconds: Sequence[RecoverySecond]) -> Recovered | None:
    first = seconds[0]
    last_s = max(s.elapsed_s for s in seconds)
    x = np.zeros((LENGTH_S, len(FEATURE_NAMES)), np.float32)
    known = np.zeros(LENGTH_S, np.bool_)
    now_bpm = np.full(LENGTH_S, np.nan, np.float32)
    for second in seconds:
        row = second.elapsed_s - 1
        x[row], known[row], now_bpm[row] = second.vector, True, second.now_bpm
    outcome_bpm = np.array(
        [measured_bpm(recording, first.stop.stop_t_s + h) if h <= last_s else np.nan for h in HORIZONS_S], np.float32
    )
    if np.isnan(outcome_bpm).all():
        return None
    return Recovered(recording, first.stop, x, known, now_bpm, first.at_stop_bpm, first.baseline_bpm, outcome_bpm)


def measured_bpm(recording: Recording, t_s: int) -> float:
    """Heart rate at a second, on the line between its neighbours where it was not sampled; NaN without neighbours."""
    heart_rate = recording.channels["heart_rate_bpm"]
    near = np.arange(max(t_s - HOLD_S, 0), min(t_s + HOLD_S + 1, len(heart_rate)))
    near = near[~np.isnan(heart_rate[near])]
    if not near.size or near[0] > t_s or near[-1] < t_s:
        return float("nan")
    return float(np.interp(t_s, near, heart_rate[near]))
