"""The personal head learns one athlete, and nothing from what no heart did."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.inference.personal import KEPT_PER_SESSION, PRIOR_PRECISION, RESIDUAL_LIMIT_BPM, PersonalHead


def test_knows_nothing_at_first_so_it_says_no_change() -> None:
    assert PersonalHead(4).predict(np.ones(4)).tolist() == [0.0, 0.0, 0.0]


def test_is_ridge_regression_while_no_residual_is_clipped() -> None:
    random = np.random.default_rng(1)
    x = random.normal(size=(500, 6))
    change_bpm = 0.05 * x @ random.normal(size=(6, 3)) + random.normal(scale=0.1, size=(500, 3))
    head = PersonalHead(6)
    for inputs, outcome in zip(x, change_bpm, strict=True):
        head.learn(inputs, outcome)
    ridge = np.linalg.solve(x.T @ x + PRIOR_PRECISION * np.eye(6), x.T @ change_bpm)
    assert head.weights == pytest.approx(ridge, rel=1e-9)


def test_a_slipped_strap_teaches_no_more_than_the_limit() -> None:
    sane, wild = PersonalHead(2), PersonalHead(2)
    sane.learn(np.ones(2), RESIDUAL_LIMIT_BPM)
    wild.learn(np.ones(2), np.array([90.0, 90.0, 90.0]))
    assert wild.weights.tolist() == sane.weights.tolist()


def test_a_new_session_discounts_what_was_known_towards_the_prior() -> None:
    head = PersonalHead(3)
    random = np.random.default_rng(2)
    for x in random.normal(size=(2000, 3)):
        head.learn(x, x[0] * np.ones(3))
    information, weights = np.linalg.inv(head.covariance), head.weights.copy()
    head.begin_session()
    expected = KEPT_PER_SESSION * information + (1 - KEPT_PER_SESSION) * PRIOR_PRECISION * np.eye(3)
    assert np.linalg.inv(head.covariance) == pytest.approx(expected)
    assert head.weights == pytest.approx(np.linalg.solve(expected, KEPT_PER_SESSION * information @ weights))


def test_an_input_that_never_moves_stays_at_its_prior_for_years() -> None:
    head = PersonalHead(2)
    random = np.random.default_rng(3)
    for _ in range(500):
        head.begin_session()
        for x in random.normal(size=20):
            head.learn(np.array([x, 0.0]), x * np.ones(3))
    assert head.covariance[1, 1] == pytest.approx(1 / PRIOR_PRECISION)
    assert np.isfinite(head.weights).all()
    assert head.weights[1].tolist() == [0.0, 0.0, 0.0]
