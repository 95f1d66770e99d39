"""The forecast for one athlete: experts mixed by what they turned out to be worth, with intervals that are kept honest.

Everything is learned from this athlete's own outcomes, within four seconds of their coming: what is learned of several
seconds at once costs little more than one, and the same in the third hour as in the first minute.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.athlete import EXPERTS, UNIT_BPM, AthleteState
from edge_agent.inference.forecast import (
    HORIZONS_S,
    NO_FORECAST,
    QUANTILES,
    Forecast,
    View,
    WorkoutForecaster,
    as_forecast,
)
from edge_agent.inference.personal import LESSON_S
from edge_agent.inference.terms import terms
from edge_agent.signals.features import FEATURE_NAMES, GROUPS
from edge_agent.signals.frame import Frame

# Change over the last 8 s to the change over each horizon: least absolute error on the runs of athlete-hr-predict.
# What 8 s show is over after half a minute.
_TREND_COLUMN = FEATURE_NAMES.index("heart_rate_change_8s")
_TREND_SCALE_BPM = 2.2
_TREND = _TREND_SCALE_BPM * np.array([0.65, 1.0, 1.0])

_FIRST_HEAD = EXPERTS.index("linear")
_ONE = np.ones(1)

# Rows of a ring that reaches from now to the origin of the longest horizon of a lesson's first second, in whole
# lessons; what is negative counts from its end.
_RING = LESSON_S * (1 + math.ceil(HORIZONS_S[-1] / LESSON_S))
_LESSON = np.arange(1 - LESSON_S, 1)
_AHEAD = np.array(HORIZONS_S)
_EACH = np.arange(len(HORIZONS_S))


class Explanation(msgspec.Struct, frozen=True):
    """Where a forecast comes from.

    Attributes:
        experts: seconds ahead to expert to its weight.
        without: input to seconds ahead to the change of the forecast in bpm when that input is masked.
    """

    experts: Mapping[int, Mapping[str, float]]
    without: Mapping[str, Mapping[int, float]]


class AthleteForecaster:
    """Forecasts a session of one athlete and learns from it."""

    def __init__(self, workout: WorkoutForecaster, athlete: AthleteState) -> None:
        """Begin a session of the athlete; `athlete` is changed as the session goes on."""
        self._workout = workout
        self._athlete = athlete
        # The seconds whose outcomes are still to come, in rings; no heart rate is NaN.
        self._row = 0
        self._anchor_bpm = np.full(_RING, np.nan)
        self._inputs = np.zeros((_RING, len(athlete.heads.weights)))
        self._experts_bpm = np.zeros((_RING, len(HORIZONS_S), len(EXPERTS)))
        self._change_bpm = np.zeros((_RING, len(HORIZONS_S), len(QUANTILES)))
        athlete.heads.begin_session()

    def step(self, frame: Frame) -> Forecast:
        """Take in one second, learn from what came, and forecast; no forecast while there is no heart rate."""
        view, anchor_bpm, restarted = self._workout.observe(frame)
        if restarted:
            self._anchor_bpm[:] = np.nan
        self._row = row = (self._row + 1) % _RING
        self._anchor_bpm[row] = np.nan if anchor_bpm is None else anchor_bpm
        if row % LESSON_S == LESSON_S - 1:
            self._learn(row + _LESSON)
        if anchor_bpm is None:
            return NO_FORECAST
        made = self._inputs[row], self._experts_bpm[row], self._change_bpm[row] = self._make(view)
        return as_forecast(anchor_bpm, made[-1])

    def explain(self) -> Explanation | None:
        """Where the last forecast comes from; None when there was none."""
        if np.isnan(self._anchor_bpm[self._row]):
            return None
        median_bpm = self._change_bpm[self._row, :, 1]
        weights = self._athlete.mixture.weights().round(4).tolist()
        without = {}
        for group in GROUPS:
            view = self._workout.without(group)
            if view is not None:
                moved_bpm = self._make(view)[-1][:, 1] - median_bpm
                without[group] = dict(zip(HORIZONS_S, moved_bpm.round(2).tolist(), strict=True))
        return Explanation(
            experts={h: dict(zip(EXPERTS, row, strict=True)) for h, row in zip(HORIZONS_S, weights, strict=True)},
            without=without,
        )

    def _make(self, view: View) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Inputs of the heads, changes in bpm that the experts forecast, and quantiles of the change of the mixture."""
        athlete = self._athlete
        features = view.features.astype(np.float64)
        inputs = np.concatenate([terms(features), features, _ONE, view.change_bpm[:, 1] / UNIT_BPM, view.hidden])
        experts_bpm = np.empty((len(HORIZONS_S), len(EXPERTS)))
        experts_bpm[:, 0] = 0.0
        experts_bpm[:, 1] = features[_TREND_COLUMN] * _TREND
        experts_bpm[:, 2] = view.change_bpm[:, 1]
        experts_bpm[:, _FIRST_HEAD:] = athlete.heads.predict(inputs).T
        median_bpm = (athlete.mixture.weights() * experts_bpm).sum(axis=1)
        spread_bpm = np.abs(view.change_bpm[:, ::2] - view.change_bpm[:, 1:2])
        return inputs, experts_bpm, athlete.intervals.quantiles(median_bpm, spread_bpm)

    def _learn(self, rows: NDArray[np.int64]) -> None:
        """Hand every forecast whose outcome is the heart rate of one of these seconds to what it can teach."""
        anchor_bpm, athlete = self._anchor_bpm, self._athlete
        origins = rows[:, None] - _AHEAD
        came_bpm = anchor_bpm[rows, None] - anchor_bpm[origins]
        said_bpm = self._change_bpm[origins, _EACH]
        athlete.mixture.learn(self._experts_bpm[origins, _EACH], said_bpm[:, :, 1], came_bpm)
        athlete.intervals.learn(said_bpm, came_bpm)
        # The heads learn all horizons from one second, once the last of its outcomes has come.
        origins = rows - HORIZONS_S[-1]
        came_bpm = anchor_bpm[origins[:, None] + _AHEAD] - anchor_bpm[origins, None]
        heads_bpm = self._experts_bpm[origins, :, _FIRST_HEAD:].transpose(0, 2, 1)
        athlete.heads.learn(self._inputs[origins], heads_bpm, came_bpm)
