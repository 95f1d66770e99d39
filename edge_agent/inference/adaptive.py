"""The forecast for one athlete: experts mixed by what they turned out to be worth, with intervals that are kept honest.

Everything is learned from this athlete's own outcomes, each when it has come, and costs the same every second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.athlete import EXPERTS, UNIT_BPM, AthleteState
from edge_agent.inference.forecast import HORIZONS_S, NO_FORECAST, Forecast, View, WorkoutForecaster, as_forecast
from edge_agent.inference.terms import terms
from edge_agent.signals.features import FEATURE_NAMES, GROUPS
from edge_agent.signals.frame import Frame

# Change over the last 8 s to the change over each horizon: least absolute error on the runs of athlete-hr-predict.
# What 8 s show is over after half a minute.
_TREND = np.array([0.65, 1.0, 1.0])
_TREND_COLUMN = FEATURE_NAMES.index("heart_rate_change_8s")
_TREND_SCALE_BPM = 2.2

_LONGEST_S = HORIZONS_S[-1]
_FIRST_HEAD = EXPERTS.index("linear")
_ONE = np.ones(1)


class Explanation(msgspec.Struct, frozen=True):
    """Where a forecast comes from.

    Attributes:
        experts: seconds ahead to expert to its weight.
        without: input to seconds ahead to the change of the forecast in bpm when that input is masked.
    """

    experts: Mapping[int, Mapping[str, float]]
    without: Mapping[str, Mapping[int, float]]


@dataclass(frozen=True, slots=True, eq=False)
class _Origin:
    """A second whose outcomes are still to come."""

    anchor_bpm: float
    inputs: NDArray[np.float64]
    experts_bpm: NDArray[np.float64]
    change_bpm: NDArray[np.float64]


class AthleteForecaster:
    """Forecasts a session of one athlete and learns from it."""

    def __init__(self, workout: WorkoutForecaster, athlete: AthleteState) -> None:
        """Begin a session of the athlete; `athlete` is changed as the session goes on."""
        self._workout = workout
        self._athlete = athlete
        self._past: deque[_Origin | None] = deque(maxlen=_LONGEST_S + 1)
        athlete.heads.begin_session()

    def step(self, frame: Frame) -> Forecast:
        """Take in one second, learn from what came, and forecast; no forecast while there is no heart rate."""
        view, anchor_bpm, restarted = self._workout.observe(frame)
        if restarted:
            self._past.clear()
        if anchor_bpm is None:
            self._past.append(None)
            return NO_FORECAST
        self._learn(anchor_bpm)
        origin = self._origin(anchor_bpm, view)
        self._past.append(origin)
        return as_forecast(anchor_bpm, origin.change_bpm)

    def explain(self) -> Explanation | None:
        """Where the last forecast comes from; None when there was none."""
        origin = self._past[-1] if self._past else None
        if origin is None:
            return None
        weights = self._athlete.mixture.weights().round(4).tolist()
        without = {}
        for group in GROUPS:
            view = self._workout.without(group)
            if view is not None:
                moved_bpm = self._origin(origin.anchor_bpm, view).change_bpm[:, 1] - origin.change_bpm[:, 1]
                without[group] = dict(zip(HORIZONS_S, moved_bpm.round(2).tolist(), strict=True))
        return Explanation(
            experts={h: dict(zip(EXPERTS, row, strict=True)) for h, row in zip(HORIZONS_S, weights, strict=True)},
            without=without,
        )

    def _origin(self, anchor_bpm: float, view: View) -> _Origin:
        athlete = self._athlete
        features = view.features.astype(np.float64)
        inputs = np.concatenate([features, _ONE, terms(features), view.change_bpm[:, 1] / UNIT_BPM, view.hidden])
        experts_bpm = np.empty((len(HORIZONS_S), len(EXPERTS)))
        experts_bpm[:, 0] = 0.0
        experts_bpm[:, 1] = float(features[_TREND_COLUMN]) * _TREND_SCALE_BPM * _TREND
        experts_bpm[:, 2] = view.change_bpm[:, 1]
        experts_bpm[:, _FIRST_HEAD:] = athlete.heads.predict(inputs).T
        median_bpm = (athlete.mixture.weights() * experts_bpm).sum(axis=1)
        spread_bpm = np.abs(view.change_bpm[:, ::2] - view.change_bpm[:, 1:2])
        quantiles_bpm = athlete.intervals.quantiles(median_bpm, spread_bpm)
        return _Origin(anchor_bpm, inputs, experts_bpm, quantiles_bpm)

    def _learn(self, now_bpm: float) -> None:
        """Hand every forecast whose outcome is the heart rate of this second to what it can teach."""
        past = self._past
        for horizon, horizon_s in enumerate(HORIZONS_S):
            if len(past) >= horizon_s and (origin := past[-horizon_s]) is not None:
                change_bpm = now_bpm - origin.anchor_bpm
                self._athlete.mixture.learn(
                    horizon, origin.experts_bpm[horizon], origin.change_bpm[horizon, 1], change_bpm
                )
                self._athlete.intervals.learn(horizon, origin.change_bpm[horizon], change_bpm)
        if len(past) < _LONGEST_S or (origin := past[-_LONGEST_S]) is None:
            return
        # The heads learn all horizons from one second, once the last of its outcomes has come.
        outcomes = [past[h - _LONGEST_S] for h in HORIZONS_S[:-1]]
        if all(outcome is not None for outcome in outcomes):
            came_bpm = np.array([*(o.anchor_bpm for o in outcomes if o is not None), now_bpm])
            said_bpm = origin.experts_bpm[:, _FIRST_HEAD:].T
            self._athlete.heads.learn(origin.inputs, said_bpm, came_bpm - origin.anchor_bpm)
