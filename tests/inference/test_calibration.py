"""Intervals cover what they claim, whatever the model said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.inference.calibration import MAX_SCALE, NEW_LOG_SCALE, RATE, TAIL, IntervalScale


def test_says_what_the_model_says_at_first_and_a_little_wider() -> None:
    quantiles = IntervalScale(2).quantiles(np.array([1.0, 2.0]), np.array([[3.0, 4.0], [5.0, 6.0]]))
    wider = math.exp(NEW_LOG_SCALE)
    assert quantiles == pytest.approx(np.array([[1 - 3 * wider, 1, 1 + 4 * wider], [2 - 5 * wider, 2, 2 + 6 * wider]]))


@pytest.mark.parametrize("told_bpm", [0.8, 2.56, 8.0])
def test_covers_eight_in_ten_although_the_model_is_much_too_sure_or_unsure(told_bpm: float) -> None:
    random = np.random.default_rng(4)
    scale = IntervalScale(1)
    inside = []
    for outcome_bpm in random.normal(scale=2.0, size=9000):
        quantiles = scale.quantiles(np.zeros(1), np.full((1, 2), told_bpm))[0]
        inside.append(quantiles[0] <= outcome_bpm <= quantiles[2])
        scale.learn(quantiles[None, None], np.array([[outcome_bpm]]))
    assert np.mean(inside[1000:]) == pytest.approx(0.8, abs=0.02)


@given(st.lists(st.floats(-40, 40), min_size=1, max_size=70))
def test_the_share_beyond_a_quantile_keeps_to_the_stated_bound(outcomes_bpm: list[float]) -> None:
    scale = IntervalScale(1)
    below = 0
    for outcome_bpm in outcomes_bpm:
        quantiles = scale.quantiles(np.zeros(1), np.ones((1, 2)))[0]
        below += outcome_bpm < quantiles[0]
        scale.learn(quantiles[None, None], np.array([[outcome_bpm]]))
    if abs(scale.log_scale[0, 0]) < math.log(MAX_SCALE):
        off = abs(below / len(outcomes_bpm) - TAIL)
        assert off <= abs(scale.log_scale[0, 0] - NEW_LOG_SCALE) / (RATE[0] * len(outcomes_bpm)) + 1e-9


def test_a_width_keeps_to_its_limits() -> None:
    scale = IntervalScale(3)
    for _ in range(4000):
        scale.learn(np.tile([-1.0, 0.0, 1.0], (1, 3, 1)), np.array([[np.nan, np.nan, 500.0]]))
    assert np.exp(scale.log_scale[2]) == pytest.approx([1 / MAX_SCALE, MAX_SCALE])
    assert scale.log_scale[:2] == pytest.approx(NEW_LOG_SCALE)  # nothing came of these


def test_outcomes_teach_together_what_they_would_one_by_one() -> None:
    random = np.random.default_rng(6)
    quantiles_bpm = np.tile([-1.0, 0.0, 1.0], (4, 2, 1))
    change_bpm = random.normal(size=(4, 2))
    change_bpm[1, 0] = change_bpm[2] = np.nan
    together, alone = IntervalScale(2), IntervalScale(2)
    together.learn(quantiles_bpm, change_bpm)
    for second in range(4):
        alone.learn(quantiles_bpm[second : second + 1], change_bpm[second : second + 1])
    assert together.log_scale == pytest.approx(alone.log_scale)


def test_a_median_stays_between_its_quantiles() -> None:
    scale = IntervalScale(1)
    for _ in range(2000):
        scale.learn(np.zeros((1, 1, 3)), np.zeros((1, 1)))
    low, median, high = scale.quantiles(np.array([5.0]), np.array([[1.0, 1.0]]))[0]
    assert low < median < high
