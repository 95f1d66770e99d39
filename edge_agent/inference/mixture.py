"""Mixes experts by what their forecasts turned out to be worth.

Exponential weights (Vovk 1990; Littlestone & Warmuth 1994), per horizon, drawn back to the prior a little every second,
so that an expert that was bad last month can come back.

What they promise: with outcomes that come at once, losses clipped to `MAX_LOSS` and without the drawing back, the mean
loss of the mixture over any T seconds exceeds that of expert i by at most

    ln(1 / prior_i) / (RATE * T) + RATE * MAX_LOSS^2 / 8

(Cesa-Bianchi & Lugosi, Prediction, Learning, and Games, section 2.2 and exercise 2.5 for a prior; the absolute error is
convex in the forecast, so the mixture loses no more than its experts do on average). Against the last value, whose
prior is 0.4, that is 0.06 of its typical error, and 31 / T more in the first T seconds. What the late outcomes and the
drawing back cost is measured, not bounded: docs/models/workout.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Losses are counted in units of the typical error of showing the last value, and up to this many of them.
MAX_LOSS = 4.0
RATE = 0.03
# The weights remember half an hour: longer than an interval session's phases, shorter than a change of form.
MEMORY_S = 2000.0


class Mixture:
    """Weights of experts by horizon."""

    def __init__(self, prior: NDArray[np.float64], horizons: int, unit_bpm: NDArray[np.float64]) -> None:
        """Start from the prior.

        Args:
            prior: weight of each expert, summing to one.
            horizons: how many there are.
            unit_bpm: typical error of persistence at each horizon, the unit that losses are counted in.
        """
        self._log_prior = np.log(prior)
        self._unit_bpm = unit_bpm
        self.log_weights: NDArray[np.float64] = np.tile(self._log_prior, (horizons, 1))

    def weights(self) -> NDArray[np.float64]:
        """(horizons, experts), each row summing to one."""
        raw = np.exp(self.log_weights - self.log_weights.max(axis=1, keepdims=True))
        weights: NDArray[np.float64] = raw / raw.sum(axis=1, keepdims=True)
        return weights

    def learn(self, horizon: int, forecasts_bpm: NDArray[np.float64], change_bpm: float) -> None:
        """Take in what came of one forecast of each expert.

        Args:
            horizon: index of the horizon.
            forecasts_bpm: what each expert had said.
            change_bpm: what came.
        """
        loss = np.minimum(np.abs(forecasts_bpm - change_bpm) / self._unit_bpm[horizon], MAX_LOSS)
        row = self.log_weights[horizon]
        row += (self._log_prior - row) / MEMORY_S - RATE * loss
        row -= row.max()
