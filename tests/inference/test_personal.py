"""The personal heads learn one athlete, and nothing from what no heart did."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.inference.personal import KEPT_PER_SESSION, LESSON_S, PRIOR_PRECISION, RESIDUAL_LIMIT, PersonalHeads

UNIT_BPM = np.array([2.0, 5.0, 8.0])


def one_head(inputs: int) -> PersonalHeads:
    return PersonalHeads(inputs, [slice(inputs)], UNIT_BPM)


def teach(heads: PersonalHeads, x: NDArray[np.float64], change_bpm: NDArray[np.float64]) -> None:
    """In lessons; the last one may be short of seconds."""
    for first in range(0, len(x), LESSON_S):
        inputs = np.zeros((LESSON_S, x.shape[1]))
        came_bpm = np.full((LESSON_S, change_bpm.shape[1]), np.nan)
        inputs[: len(x) - first] = x[first : first + LESSON_S]
        came_bpm[: len(x) - first] = change_bpm[first : first + LESSON_S]
        heads.learn(inputs, np.array([heads.predict(second) for second in inputs]), came_bpm)


def test_knows_nothing_at_first_so_it_says_no_change() -> None:
    assert one_head(4).predict(np.ones(4)).tolist() == [[0.0, 0.0, 0.0]]


def test_each_head_is_ridge_regression_on_what_it_sees_while_no_residual_is_clipped() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(240 * LESSON_S, 6))
    change_bpm = 0.05 * x @ random.normal(size=(6, 3)) + random.normal(scale=0.1, size=(len(x), 3))
    seen = [slice(4), slice(2, None), slice(None)]
    heads = PersonalHeads(6, seen, UNIT_BPM)
    teach(heads, x, change_bpm)
    heads.begin_session()
    there = random.normal(size=6)
    for said, columns in zip(heads.predict(there), seen, strict=True):
        own = x[:, columns]
        precision = PRIOR_PRECISION / KEPT_PER_SESSION * np.eye(own.shape[1])
        ridge = np.linalg.solve(own.T @ own + precision, own.T @ change_bpm)
        assert said == pytest.approx(there[columns] @ ridge, rel=1e-9)


def test_what_is_learned_is_used_within_seconds() -> None:
    heads = one_head(2)
    x = np.ones((LESSON_S, 2))
    teach(heads, x, np.full((LESSON_S, 3), 1.0))
    assert (heads.predict(x[0]) > 0).all()


def test_a_slipped_strap_teaches_no_more_than_the_limit() -> None:
    sane, wild = one_head(2), one_head(2)
    x = np.ones((1, 2))
    teach(sane, x, RESIDUAL_LIMIT * UNIT_BPM[None])
    teach(wild, x, np.array([[90.0, 90.0, 90.0]]))
    sane.begin_session()
    wild.begin_session()
    assert wild.predict(x[0]).tolist() == sane.predict(x[0]).tolist()


def test_a_second_of_which_not_all_came_teaches_nothing() -> None:
    heads = one_head(2)
    teach(heads, np.ones((3, 2)), np.array([[1.0, np.nan, 1.0]] * 3))
    heads.take_in()
    assert heads.information == pytest.approx(np.zeros((2, 2)))
    assert heads.predict(np.ones(2)).tolist() == [[0.0, 0.0, 0.0]]
    assert heads.usual_bpm == pytest.approx(UNIT_BPM[None])


def test_the_limit_follows_the_residuals_of_the_athlete() -> None:
    random = np.random.default_rng(4)
    calm, wild = one_head(2), one_head(2)
    for heads, scale in ((calm, 1.0), (wild, 20.0)):
        teach(heads, random.normal(size=(5000, 2)), random.normal(scale=scale, size=(5000, 3)))
    assert calm.usual_bpm == pytest.approx(np.full((1, 3), 0.8), rel=0.2)
    assert wild.usual_bpm == pytest.approx(np.full((1, 3), 16.0), rel=0.2)


def test_a_new_session_discounts_what_was_known_towards_the_prior() -> None:
    heads = one_head(3)
    random = np.random.default_rng(2)
    x = random.normal(size=(1000 * LESSON_S, 3))
    teach(heads, x, x[:, :1] * np.ones(3))
    heads.take_in()
    information, weights = heads.information, heads.weights.copy()
    heads.begin_session()
    assert heads.information == pytest.approx(KEPT_PER_SESSION * information)
    prior = PRIOR_PRECISION * np.eye(3)
    moments = (information + prior) @ weights
    expected = np.linalg.solve(KEPT_PER_SESSION * information + prior, KEPT_PER_SESSION * moments)
    assert heads.predict(np.ones(3))[0] == pytest.approx(expected.sum(axis=0))


def test_no_second_is_left_out_or_taken_in_twice_when_it_is_taken_in_early() -> None:
    random = np.random.default_rng(7)
    x = random.normal(size=(41, LESSON_S, 4))
    change_bpm = random.normal(scale=0.1, size=(len(x), LESSON_S, 3))
    seen = [slice(3), slice(1, None), slice(None)]
    patient, hasty = PersonalHeads(4, seen, UNIT_BPM), PersonalHeads(4, seen, UNIT_BPM)
    for inputs, outcome in zip(x, change_bpm, strict=True):
        for heads in (patient, hasty):
            heads.learn(inputs, np.zeros((LESSON_S, 3, 3)), outcome)
        if random.random() < 0.3:
            hasty.take_in()
    patient.take_in()
    hasty.take_in()
    x = x.reshape(-1, 4)
    assert patient.information == pytest.approx(x.T @ x)
    assert hasty.information == pytest.approx(x.T @ x)
    assert hasty.weights == pytest.approx(patient.weights)


def test_a_day_in_one_session_leaves_least_squares_exact() -> None:
    random = np.random.default_rng(9)
    # Nearly collinear inputs of very different sizes, as features are.
    base = random.normal(size=(86_400, 5))
    x = np.concatenate([base, base[:, :3] + 1e-3 * random.normal(size=(len(base), 3)), 1e-3 * base[:, :2]], axis=1)
    change_bpm = 0.1 * base @ random.normal(size=(5, 3)) + random.normal(scale=0.1, size=(len(base), 3))
    heads = one_head(x.shape[1])
    for inputs, outcome in zip(x.reshape(-1, LESSON_S, x.shape[1]), change_bpm.reshape(-1, LESSON_S, 3), strict=True):
        heads.learn(inputs, outcome[:, None], outcome)  # no residual, so that none is clipped
    heads.take_in()
    ridge = np.linalg.solve(x.T @ x + PRIOR_PRECISION * np.eye(x.shape[1]), x.T @ change_bpm)
    assert heads.weights == pytest.approx(ridge, abs=1e-9)


def test_an_input_that_never_moves_stays_at_its_prior_for_years() -> None:
    heads = one_head(2)
    random = np.random.default_rng(3)
    for _ in range(500):
        heads.begin_session()
        values = random.normal(size=20)
        teach(heads, np.stack([values, np.zeros(20)], axis=1), values[:, None] * np.ones(3))
    assert heads.predict(np.array([0.0, 1.0])).tolist() == [[0.0, 0.0, 0.0]]
    assert np.isfinite(heads.information).all()
