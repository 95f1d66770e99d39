"""The mixture follows whoever was right, within the bound that it states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.inference.mixture import MAX_LOSS, RATE, Mixture

PRIOR = np.array([0.5, 0.3, 0.2])
UNIT_BPM = np.array([2.0, 5.0])


def test_begins_with_the_prior_at_every_horizon() -> None:
    assert Mixture(PRIOR, 2, UNIT_BPM).weights() == pytest.approx(np.stack([PRIOR, PRIOR]))


def test_the_expert_that_is_right_gets_the_weight_at_that_horizon_alone() -> None:
    mixture = Mixture(PRIOR, 2, UNIT_BPM)
    for _ in range(600):
        mixture.learn(1, np.array([0.0, 3.0, 10.0]), 10.0)
    assert mixture.weights()[1, 2] > 0.95
    assert mixture.weights()[0] == pytest.approx(PRIOR)


def test_an_expert_that_was_bad_can_come_back() -> None:
    mixture = Mixture(PRIOR, 2, UNIT_BPM)
    for _ in range(100_000):
        mixture.learn(0, np.array([0.0, 0.0, 50.0]), 0.0)
    for _ in range(1_500):
        mixture.learn(0, np.array([8.0, 8.0, 0.0]), 0.0)
    assert mixture.weights()[0, 2] > 0.9


def test_one_absurd_outcome_counts_no_more_than_the_largest_loss() -> None:
    mixture, same = Mixture(PRIOR, 1, UNIT_BPM), Mixture(PRIOR, 1, UNIT_BPM)
    mixture.learn(0, np.array([0.0, 0.0, 1e9]), 0.0)
    same.learn(0, np.array([0.0, 0.0, MAX_LOSS * UNIT_BPM[0]]), 0.0)
    assert mixture.weights() == pytest.approx(same.weights())


@given(st.lists(st.tuples(*[st.floats(-8, 8)] * 3, st.floats(-8, 8)), min_size=50, max_size=300))
def test_loses_no_more_than_any_expert_and_the_stated_bound(rounds: list[tuple[float, float, float, float]]) -> None:
    mixture = Mixture(PRIOR, 1, UNIT_BPM)
    lost, experts_lost = 0.0, np.zeros(3)
    for *forecasts, outcome in rounds:
        forecasts_bpm = np.array(forecasts)
        lost += min(abs(float(mixture.weights()[0] @ forecasts_bpm) - outcome) / UNIT_BPM[0], MAX_LOSS)
        experts_lost += np.minimum(np.abs(forecasts_bpm - outcome) / UNIT_BPM[0], MAX_LOSS)
        mixture.learn(0, forecasts_bpm, outcome)
    # Drawn back to the prior by 1/2000 a second, the weights remember almost all of so short a time.
    slack = 0.02 * len(rounds)
    for expert, prior in enumerate(PRIOR):
        bound = math.log(1 / prior) / RATE + RATE * MAX_LOSS**2 / 8 * len(rounds)
        assert lost <= experts_lost[expert] + bound + slack
