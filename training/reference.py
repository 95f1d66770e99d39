"""What a careful engineer would write in an afternoon: recursive least squares, mixed with the last value.

The forecasts of an athlete's device are scored beside it, on the same seconds. It knows the athlete from session to
session too, and reads the same features; with the LSTM's hidden state, it reads that as well. Plain least squares with
an inverse that is updated every second, exponential weights between its forecast and the last value, and nothing else.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.forecast import HORIZONS_S, NO_FORECAST, Forecast, Quantiles, View, WorkoutForecaster
from edge_agent.signals.frame import Frame

LAGS: Final = "least squares"
HIDDEN: Final = "least squares, hidden state"

_PRECISION = 100.0
_UNIT_BPM = np.array([2.0, 5.0, 8.0])
_RATE, _MAX_LOSS = 0.03, 4.0

_Values = NDArray[np.float64]


class ReferenceAthlete:
    """What the reference has learned of one athlete."""

    def __init__(self, name: str) -> None:
        """An athlete of whom nothing is known.

        Args:
            name: `LAGS` or `HIDDEN`.
        """
        self._hidden = name == HIDDEN
        self._covariance: _Values = np.zeros((0, 0))
        self._weights: _Values = np.zeros((0, 0))
        self._lead = np.zeros(len(HORIZONS_S))  # by how much the last value has lost more

    def inputs(self, view: View) -> _Values:
        """Features, and what else it reads of a second."""
        plain = np.concatenate([view.features, [1.0]])
        return np.concatenate([view.change_bpm[:, 1] / _UNIT_BPM, view.hidden, plain]) if self._hidden else plain

    def predict(self, x: _Values) -> _Values:
        """Change in bpm by horizon, not mixed yet."""
        if not self._covariance.size:
            self._covariance = np.eye(len(x)) / _PRECISION
            self._weights = np.zeros((len(x), len(HORIZONS_S)))
        return np.asarray(x @ self._weights)

    def mixed(self, said_bpm: _Values) -> _Values:
        """Between the last value and what was said."""
        return np.asarray(said_bpm / (1 + np.exp(-self._lead)))

    def compare(self, horizon: int, said_bpm: float, change_bpm: float) -> None:
        """Whose forecast was better, the last value's or its own."""
        unit_bpm = _UNIT_BPM[horizon]
        own, last = (min(abs(e) / unit_bpm, _MAX_LOSS) for e in (change_bpm - said_bpm, change_bpm))
        self._lead[horizon] += _RATE * (last - own)

    def learn(self, x: _Values, change_bpm: _Values) -> None:
        """Take in a second whose outcomes have all come."""
        error_bpm = change_bpm - self.predict(x)
        direction = self._covariance @ x
        gain = direction / (1.0 + x @ direction)
        self._weights += np.outer(gain, error_bpm)
        self._covariance -= np.outer(gain, direction)


class Reference:
    """Plays one session of an athlete."""

    def __init__(self, workout: WorkoutForecaster, athlete: ReferenceAthlete) -> None:
        """Begin a session; `athlete` is changed as it goes on."""
        self._workout = workout
        self._athlete = athlete
        # Inputs, what was said of them, and the heart rate they were seen at; None while there was none.
        self._past: deque[tuple[_Values, _Values, float] | None] = deque(maxlen=HORIZONS_S[-1] + 1)

    def step(self, frame: Frame) -> Forecast:
        """Forecast one second; there are no outer quantiles."""
        view, anchor_bpm, restarted = self._workout.observe(frame)
        if restarted:
            self._past.clear()
        if anchor_bpm is None:
            self._past.append(None)
            return NO_FORECAST
        self._learn(anchor_bpm)
        x = self._athlete.inputs(view)
        said_bpm = self._athlete.predict(x)
        self._past.append((x, said_bpm, anchor_bpm))
        medians = (anchor_bpm + self._athlete.mixed(said_bpm)).tolist()
        return {h: Quantiles(math.nan, median, math.nan) for h, median in zip(HORIZONS_S, medians, strict=True)}

    def _learn(self, now_bpm: float) -> None:
        past = self._past
        came_bpm = []
        for horizon, horizon_s in enumerate(HORIZONS_S):
            if len(past) >= horizon_s and (then := past[-horizon_s]) is not None:
                self._athlete.compare(horizon, float(then[1][horizon]), now_bpm - then[2])
        if len(past) < HORIZONS_S[-1] or (origin := past[-HORIZONS_S[-1]]) is None:
            return
        for horizon_s in HORIZONS_S[:-1]:
            if (then := past[horizon_s - HORIZONS_S[-1]]) is None:
                return
            came_bpm.append(then[2])
        self._athlete.learn(origin[0], np.array([*came_bpm, now_bpm]) - origin[2])
