"""The mixture follows whoever was right, within the bound that it states."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.inference.mixture import MAX_LOSS, RATE, Mixture

PRIOR = np.array([0.5, 0.3, 0.2])
UNIT_BPM = np.array([2.0, 5.0])


def learn(mixture: Mixture, horizon: int, forecasts_bpm: NDArray[np.float64], change_bpm: float) -> float:
    """Teach one outcome at one horizon; what the mixture had said."""
    mixed_bpm = mixture.weights() @ forecasts_bpm
    came_bpm = np.full(len(UNIT_BPM), np.nan)
    came_bpm[horizon] = change_bpm
    mixture.learn(np.tile(forecasts_bpm, (1, len(UNIT_BPM), 1)), mixed_bpm[None], came_bpm[None])
    return float(mixed_bpm[horizon])


def test_begins_with_the_prior_at_every_horizon() -> None:
    assert Mixture(PRIOR, UNIT_BPM).weights() == pytest.approx(np.stack([PRIOR, PRIOR]))


def test_the_expert_that_is_right_gets_the_weight_at_that_horizon_alone() -> None:
    mixture = Mixture(PRIOR, UNIT_BPM)
    for _ in range(600):
        learn(mixture, 1, np.array([0.0, 3.0, 10.0]), 10.0)
    assert mixture.weights()[1, 2] > 0.95
    assert mixture.weights()[0] == pytest.approx(PRIOR)


def test_an_expert_that_was_bad_can_come_back() -> None:
    mixture = Mixture(PRIOR, UNIT_BPM)
    for _ in range(100_000):
        learn(mixture, 0, np.array([0.0, 0.0, 50.0]), 0.0)
    for _ in range(300):
        learn(mixture, 0, np.array([8.0, 8.0, 0.0]), 0.0)
    assert mixture.weights()[0, 2] > 0.9


def test_one_absurd_outcome_moves_the_weights_no_further_than_the_largest_loss() -> None:
    mixture = Mixture(PRIOR, UNIT_BPM)
    before = mixture.log_weights[0].copy()
    learn(mixture, 0, np.array([0.0, 0.0, 1e9]), 0.0)
    assert np.ptp(mixture.log_weights[0] - before) <= 1.5 * MAX_LOSS * RATE[0] + 1e-12


def test_outcomes_teach_together_what_they_would_one_by_one() -> None:
    random = np.random.default_rng(3)
    forecasts_bpm, change_bpm = random.normal(size=(4, 2, 3)), random.normal(size=(4, 2))
    change_bpm[1, 0] = change_bpm[2] = np.nan
    together, alone = Mixture(PRIOR, UNIT_BPM), Mixture(PRIOR, UNIT_BPM)
    mixed_bpm = (forecasts_bpm * PRIOR).sum(axis=2)
    together.learn(forecasts_bpm, mixed_bpm, change_bpm)
    for second in range(4):
        alone.learn(*(values[second : second + 1] for values in (forecasts_bpm, mixed_bpm, change_bpm)))
    assert together.weights() == pytest.approx(alone.weights(), rel=1e-4)  # but for what is drawn back meanwhile


def test_experts_whose_errors_cancel_are_better_together_than_the_best_of_them() -> None:
    random = np.random.default_rng(8)
    mixture = Mixture(PRIOR, UNIT_BPM)
    lost, alone = [], []
    for outcome_bpm in random.normal(scale=2.0, size=3000):
        error_bpm = random.normal(scale=2.0)
        forecasts_bpm = outcome_bpm + np.array([6.0, error_bpm + 1.0, -error_bpm])
        lost.append(abs(learn(mixture, 0, forecasts_bpm, outcome_bpm) - outcome_bpm))
        alone.append(np.abs(forecasts_bpm - outcome_bpm))
    assert np.mean(lost[1000:]) < 0.8 * np.mean(alone[1000:], axis=0).min()


@given(st.lists(st.tuples(*[st.floats(-4, 4)] * 3, st.floats(-4, 4)), min_size=50, max_size=300))
def test_loses_no_more_than_any_expert_and_the_stated_bound(rounds: list[tuple[float, float, float, float]]) -> None:
    mixture = Mixture(PRIOR, UNIT_BPM)
    lost, experts_lost = 0.0, np.zeros(3)
    for *forecasts, outcome in rounds:
        forecasts_bpm = np.array(forecasts)
        lost += abs(learn(mixture, 0, forecasts_bpm, outcome) - outcome) / UNIT_BPM[0]
        experts_lost += np.abs(forecasts_bpm - outcome) / UNIT_BPM[0]
    # Drawn back to the prior by 1/8000 a second, the weights remember almost all of so short a time.
    slack = 0.02 * len(rounds)
    for expert, prior in enumerate(PRIOR):
        bound = math.log(1 / prior) / RATE[0] + RATE[0] * (1.5 * MAX_LOSS) ** 2 / 8 * len(rounds)
        assert lost <= experts_lost[expert] + bound + slack
