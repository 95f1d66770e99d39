"""Intervals over people: seconds and windows of one person are not independent of each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_DRAWS = 2000


def interval(
    sums: NDArray[np.float64], figure: Callable[[NDArray[np.float64]], NDArray[np.float64]], seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % percentile interval of a figure when people are drawn with replacement.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13.

    Args:
        sums: what each person adds to the figure, (people, ...); of any unit that is drawn as a whole.
        figure: makes figures from sums over people; takes (draws, ...) and returns (draws, *figures).
        seed: of the draws.

    Returns:
        Lower and upper ends, (*figures) each.
    """
    drawn = np.random.default_rng(seed).integers(len(sums), size=(_DRAWS, len(sums)))
    times = np.stack([(drawn == unit).sum(axis=1) for unit in range(len(sums))], axis=1)
    totals = np.tensordot(times.astype(np.float64), sums, axes=1)
    low, high = np.nanquantile(figure(totals), [0.025, 0.975], axis=0)
    return low, high
