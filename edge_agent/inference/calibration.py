"""Keeps the forecast intervals honest: adaptive conformal calibration, per horizon and side.

Source: Gibbs & Candes 2021, Adaptive conformal inference under distribution shift; the step is taken on the logarithm
of the interval's width, as in quantile tracking (Angelopoulos, Candes & Tibshirani 2023), so that a width stays
positive. While no width is at its limit, the share of T outcomes beyond a quantile differs from its nominal one by at
most |ln(width_T / width_0)| / (RATE * T), whatever the heart does.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Share of outcomes that belong beyond each outer quantile.
TAIL = 0.1

# Step per outcome, by horizon (10, 30 and 60 s). An outcome comes as late as its horizon is long, and until then a fast
# step goes on in the wrong direction: at 0.03 everywhere, intervals at 60 s swung so far that their
# quantile loss was 40 % higher. At these steps a width that is half of the right one doubles within 40 s of misses at
# 10 s, and within three minutes of them at 60 s.
RATE = np.array([0.02, 0.01, 0.005])

# A new athlete's intervals are a fifth wider than the model says, which is too sure of people whom it has not seen.
NEW_LOG_SCALE = 0.2

# A width is never more than this many times, nor less than this part of, what the model says.
MAX_SCALE = 4.0
_WIDEST = math.log(MAX_SCALE)

# Which way the lower and the upper quantile lie from the median.
_AWAY = np.array([-1.0, 1.0])


class IntervalScale:
    """How much wider than the model says each side of the interval has to be."""

    def __init__(self, horizons: int) -> None:
        self._rate = RATE[:horizons, None]
        self.log_scale: NDArray[np.float64] = np.full((horizons, 2), NEW_LOG_SCALE)

    def quantiles(self, median_bpm: NDArray[np.float64], spread_bpm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lower quantile, median and upper quantile by horizon, (horizons, 3).

        Args:
            median_bpm: by horizon.
            spread_bpm: distances to the outer quantiles as the model says them, (horizons, 2).
        """
        quantiles_bpm = np.repeat(median_bpm[:, None], 3, axis=1)
        quantiles_bpm[:, ::2] += spread_bpm * np.exp(self.log_scale) * _AWAY
        return quantiles_bpm

    def learn(self, quantiles_bpm: NDArray[np.float64], change_bpm: NDArray[np.float64]) -> None:
        """Take in what came of some intervals at each horizon.

        Args:
            quantiles_bpm: what was said, (outcomes, horizons, 3).
            change_bpm: what came, (outcomes, horizons); NaN where nothing did.
        """
        change_bpm = change_bpm[:, :, None]
        beyond = (change_bpm - quantiles_bpm[:, :, ::2]) * _AWAY > 0
        steps = np.where(np.isnan(change_bpm), 0.0, beyond - TAIL).sum(axis=0)
        self.log_scale[:] = np.minimum(np.maximum(self.log_scale + self._rate * steps, -_WIDEST), _WIDEST)
