from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import interval


def mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(sums[:, :1] / sums[:, 1:])


def test_people_who_are_alike_leave_no_doubt() -> None:
    low, high = interval(np.tile([6.0, 2.0], (8, 1)), mean)
    assert low.tolist() == high.tolist() == [3.0]


def test_the_interval_holds_the_figure_and_is_within_the_people() -> None:
    sums = np.array([[1.0, 1.0], [2.0, 1.0], [3.0, 1.0], [4.0, 1.0], [5.0, 1.0]])
    low, high = interval(sums, mean)
    assert 1 <= low[0] < 3 < high[0] <= 5


def test_the_interval_is_as_wide_as_the_standard_error_says() -> None:
    values = np.random.default_rng(3).normal(10.0, 2.0, 200)
    low, high = interval(np.stack([values, np.ones(200)], axis=1), mean)
    error = values.std(ddof=1) / np.sqrt(200)
    np.testing.assert_allclose([low[0], high[0]], values.mean() + np.array([-1.96, 1.96]) * error, atol=0.06)
