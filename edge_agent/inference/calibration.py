"""Keeps the forecast intervals honest: adaptive conformal calibration, per horizon and side.

Source: Gibbs & Candes 2021, Adaptive conformal inference under distribution shift; the step is taken on the logarithm
of the interval's width, as in quantile tracking (Angelopoulos, Candes & Tibshirani 2023), so that a width stays
positive. Over T outcomes the share beyond a quantile differs from its nominal one by at most
|ln(width_T / width_0)| / (RATE * T), whatever the heart does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Share of outcomes that belong beyond each outer quantile.
TAIL = 0.1

# A miss widens its side by 2.7 %, a hit narrows it by 0.3 %: a width that is half of the right one doubles within half
# a minute of misses, one that is twice the right one takes four minutes of hits.
RATE = 0.03


class IntervalScale:
    """How much wider than the model says each side of the interval has to be."""

    def __init__(self, horizons: int) -> None:
        self.log_scale: NDArray[np.float64] = np.zeros((horizons, 2))

    def quantiles(self, median_bpm: NDArray[np.float64], spread_bpm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lower quantile, median and upper quantile by horizon, (horizons, 3).

        Args:
            median_bpm: by horizon.
            spread_bpm: distances to the outer quantiles as the model says them, (horizons, 2).
        """
        below, above = (spread_bpm * np.exp(self.log_scale)).T
        return np.stack([median_bpm - below, median_bpm, median_bpm + above], axis=1)

    def learn(self, horizon: int, quantiles_bpm: NDArray[np.float64], outcome_bpm: float) -> None:
        """Take in what came of one interval."""
        row = self.log_scale[horizon]
        row[0] += RATE * (float(outcome_bpm < quantiles_bpm[0]) - TAIL)
        row[1] += RATE * (float(outcome_bpm > quantiles_bpm[2]) - TAIL)
