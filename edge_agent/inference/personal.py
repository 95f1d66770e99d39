"""A linear head that learns one athlete, second by second, by recursive least squares.

Source: recursive least squares as in Haykin, Adaptive Filter Theory, chapter 10; the residual is clipped as in Huber's
M-estimate, so that a slipped strap does not teach what no heart did.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# How far a weight may stray before it costs as much as one error of one unit: the prior is "no change", which is the
# last value. Chosen on the sessions of the two public data sets, with cells trained on other people.
PRIOR_PRECISION = 400.0

# Residuals count up to the error of showing the last value (bpm, at 10, 30 and 60 s): beyond it, they are outliers.
RESIDUAL_LIMIT_BPM = np.array([2.0, 5.0, 8.0])

# Share of what was known that a session takes over from the ones before it: an athlete's fitness changes within weeks,
# and after 50 sessions a session counts for a third.
KEPT_PER_SESSION = 0.98


class PersonalHead:
    """Forecasts the change of heart rate as a linear function of the inputs, for all horizons at once.

    All horizons learn from the same second when the outcome of the longest is known, so that they share the one matrix
    that is costly to keep.
    """

    def __init__(self, inputs: int) -> None:
        self.weights: NDArray[np.float64] = np.zeros((inputs, len(RESIDUAL_LIMIT_BPM)))
        self.covariance: NDArray[np.float64] = np.eye(inputs) / PRIOR_PRECISION

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Change in bpm by horizon, from inputs of shape (inputs,)."""
        return x @ self.weights

    def learn(self, x: NDArray[np.float64], change_bpm: NDArray[np.float64]) -> None:
        """Take in what came of a second.

        Args:
            x: its inputs, (inputs,).
            change_bpm: what came, by horizon.
        """
        direction = self.covariance @ x
        gain = direction / (1.0 + x @ direction)
        residual_bpm = (change_bpm - x @ self.weights).clip(-RESIDUAL_LIMIT_BPM, RESIDUAL_LIMIT_BPM)
        self.weights += gain[:, None] * residual_bpm
        self.covariance -= np.outer(gain, direction)

    def begin_session(self) -> None:
        """Forget a little: information is discounted towards the prior, and what is never excited stays at it."""
        prior = PRIOR_PRECISION * np.eye(len(self.weights))
        information = np.linalg.inv(self.covariance)
        discounted = KEPT_PER_SESSION * information + (1.0 - KEPT_PER_SESSION) * prior
        covariance = np.linalg.inv(discounted)
        self.weights[:] = covariance @ (KEPT_PER_SESSION * (information @ self.weights))
        self.covariance[:] = (covariance + covariance.T) / 2  # rounding must not make it lopsided over the years
