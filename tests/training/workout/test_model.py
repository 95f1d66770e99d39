from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from training.workout.model import build_cell, pinball, spread, unroll, zero_state


def test_unrolled_and_stepped_cells_say_the_same() -> None:
    keras.utils.set_random_seed(1)
    cell = build_cell(features=7, hidden=5)
    random = np.random.default_rng(1)
    x = random.standard_normal((50, 1, 7)).astype(np.float32)
    restarted = (random.random((50, 1)) < 0.1).astype(np.float32)
    y, state = unroll(cell, tf.constant(x), tf.constant(restarted), zero_state(cell, 1))
    stepped = np.zeros((1, 10), np.float32)
    for t in range(50):
        stepped = stepped * (1 - restarted[t, 0])
        answer, stepped = (np.asarray(value) for value in cell([x[t], stepped]))
        np.testing.assert_allclose(answer[0], y.numpy()[t, 0], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(stepped, state.numpy(), rtol=1e-4, atol=1e-5)


def test_quantiles_never_cross() -> None:
    raw = np.random.default_rng(2).standard_normal((1000, 9)).astype(np.float32) * 20
    q = np.asarray(spread(tf.constant(raw))).reshape(1000, 3, 3)
    assert (np.diff(q, axis=2) >= 0).all()


def test_the_loss_is_least_at_the_quantiles() -> None:
    change_bpm = np.random.default_rng(3).normal(0, 5, (4000, 1, 3)).astype(np.float32)
    levels = np.quantile(change_bpm[:, 0], [0.1, 0.5, 0.9], axis=0).T.reshape(-1)

    def loss(y: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return float(pinball(tf.constant(np.tile(y.astype(np.float32), (4000, 1, 1))), tf.constant(change_bpm)))

    assert all(loss(levels) < loss(levels + shift) for shift in (-1.0, 1.0))


def test_unknown_targets_cost_nothing() -> None:
    y = tf.constant(np.ones((4, 2, 9), np.float32))
    change_bpm = np.zeros((4, 2, 3), np.float32)
    known = float(pinball(y, tf.constant(change_bpm)))
    change_bpm[2:] = np.nan
    assert float(pinball(y, tf.constant(change_bpm))) == known
    assert float(pinball(y, tf.constant(np.full((4, 2, 3), np.nan, np.float32)))) == 0.0
