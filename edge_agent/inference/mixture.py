"""Mixes experts by what their forecasts turned out to be worth.

Exponential weights (Vovk 1990; Littlestone & Warmuth 1994), per horizon, drawn back to the prior a little every
second, so that an expert that was bad last month can come back. Half of an expert's loss is its own error, which finds
the best expert; the other half is how far it would have drawn the mixture away from the outcome, which finds experts
whose errors cancel (the gradient trick: Cesa-Bianchi & Lugosi, Prediction, Learning, and Games, section 2.5).

What they promise: while no forecast is off by more than `MAX_LOSS`, with outcomes that come at once and without the
drawing back, the mean loss of the mixture over any T seconds exceeds that of expert i by at most

    ln(1 / prior_i) / (RATE * T) + RATE * (1.5 * MAX_LOSS)^2 / 8

(ibid., section 2.2 and exercise 2.5 for a prior. The error is convex in the forecast, so the mixture's is no larger
than its experts' on average; and what an expert would have drawn it away by is no more than the expert's error exceeds
the mixture's. So half of either adds up to a bound on the whole. A loss of the two halves ranges over 1.5 `MAX_LOSS`.)
What the late outcomes and the drawing back cost is measured, not bounded: docs/models/workout.md.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Losses are counted in units of the typical error of showing the last value, and up to this many of them.
MAX_LOSS = 4.0
# By horizon (10, 30 and 60 s): outcomes of a longer one come later, and repeat each other more.
RATE = np.array([0.06, 0.03, 0.02])
# The weights remember two hours: longer than an interval session's phases, shorter than a change of form.
MEMORY_S = 8000.0
# No expert falls further behind the best one than this (in logarithms of weights, 6e-6 of it): it is back in minutes.
_DEEPEST = 12.0


class Mixture:
    """Weights of experts by horizon."""

    def __init__(self, prior: NDArray[np.float64], unit_bpm: NDArray[np.float64]) -> None:
        """Start from the prior.

        Args:
            prior: weight of each expert, summing to one.
            unit_bpm: typical error of persistence at each horizon, the unit that losses are counted in.
        """
        self._log_prior = np.log(prior)
        self._unit_bpm = unit_bpm
        self._half_rate = RATE[: len(unit_bpm), None] / 2
        self.log_weights: NDArray[np.float64] = np.tile(self._log_prior, (len(unit_bpm), 1))

    def weights(self) -> NDArray[np.float64]:
        """(horizons, experts), each row summing to one."""
        raw = np.exp(self.log_weights)  # none is above 1
        weights: NDArray[np.float64] = raw / raw.sum(axis=1, keepdims=True)
        return weights

    def learn(
        self, forecasts_bpm: NDArray[np.float64], mixed_bpm: NDArray[np.float64], change_bpm: NDArray[np.float64]
    ) -> None:
        """Take in what came of some forecasts of each expert at each horizon.

        Args:
            forecasts_bpm: what each expert had said, (outcomes, horizons, experts).
            mixed_bpm: what the mixture had made of it, (outcomes, horizons).
            change_bpm: what came, (outcomes, horizons); NaN where nothing did.
        """
        unit_bpm = self._unit_bpm[:, None]
        loss = np.minimum(np.abs(forecasts_bpm - change_bpm[:, :, None]) / unit_bpm, MAX_LOSS)
        drawn = np.minimum(np.maximum((forecasts_bpm - mixed_bpm[:, :, None]) / unit_bpm, -MAX_LOSS), MAX_LOSS)
        loss += drawn * np.where(mixed_bpm > change_bpm, 1.0, -1.0)[:, :, None]
        known = ~np.isnan(change_bpm)[:, :, None]
        lost = np.where(known, loss, 0.0).sum(axis=0)
        drawn_back = known.sum(axis=0) * (self._log_prior - self.log_weights) / MEMORY_S
        moved = self.log_weights + drawn_back - self._half_rate * lost
        self.log_weights[:] = np.maximum(moved - moved.max(axis=1, keepdims=True), -_DEEPEST)
