from __future__ import annotations

import numpy as np
import tensorflow as tf

from edge_agent.signals.recovery import FALL_SCALE_BPM, FEATURE_NAMES
from training.recovery.dataset import Recovered
from training.recovery.fit import Batch, predict
from training.recovery.model import build_cell, join, pinball, unroll


def test_the_unrolled_cell_answers_as_the_cell_does_step_by_step(recovered: list[Recovered]) -> None:
    cell = build_cell(6)
    unrolled = predict(cell, recovered[:3])
    for r, expected in zip(recovered[:3], unrolled, strict=True):
        state = np.zeros((1, 12), np.float32)
        for second in np.flatnonzero(r.known):
            y, state = cell([tf.constant(r.x[second][None]), tf.constant(state)])
            np.testing.assert_allclose(y.numpy().reshape(2, 3), expected[second], atol=2e-4)


def test_with_weights_at_zero_the_median_is_the_first_order_fall(recovered: list[Recovered]) -> None:
    cell = build_cell(6)
    cell.set_weights([np.zeros_like(w) for w in cell.get_weights()])
    medians = predict(cell, recovered[:5])[..., 1]
    for i, (horizon_s, scale_bpm) in enumerate(zip((60, 120), FALL_SCALE_BPM, strict=True)):
        falls_bpm = np.stack([r.x[:, FEATURE_NAMES.index(f"fall_{horizon_s}")] for r in recovered[:5]]) * scale_bpm
        np.testing.assert_allclose(medians[..., i], falls_bpm, atol=1e-4)


def test_quantiles_do_not_cross_and_meet_at_the_horizon(recovered: list[Recovered]) -> None:
    quantiles = predict(build_cell(6), recovered)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    known_at_60 = np.array([r.known[59] for r in recovered])
    assert not quantiles[known_at_60, 59, 0].any()


def test_the_loss_is_least_at_the_quantile_and_leaves_out_what_is_unknown() -> None:
    change_bpm = np.random.default_rng(0).normal(-10, 5, (400, 1, 2)).astype(np.float32)
    change_bpm[::2, :, 1] = np.nan
    levels = np.nanquantile(change_bpm[:, 0], (0.1, 0.5, 0.9), axis=0).T.reshape(-1).astype(np.float32)
    weight = tf.ones(1)

    def loss(offset: float) -> float:
        y = np.broadcast_to(levels + np.float32(offset), (400, 1, 6))
        return float(pinball(tf.constant(y), tf.constant(change_bpm), weight))

    assert loss(0) < min(loss(-0.5), loss(0.5))
    assert np.isfinite(loss(0))


def test_a_recovery_of_no_weight_does_not_count(recovered: list[Recovered]) -> None:
    batch = Batch.of(recovered[:2])
    y = unroll(build_cell(4), tf.constant(batch.x), tf.constant(batch.known))
    alone = pinball(y[:, :1], tf.constant(batch.change_bpm[:, :1]), tf.ones(1))
    both = pinball(y, tf.constant(batch.change_bpm), tf.constant([1.0, 0.0]))
    np.testing.assert_allclose(alone, both, rtol=1e-5)


def test_joined_cells_forecast_the_mean_of_their_medians(recovered: list[Recovered]) -> None:
    cells = [build_cell(5) for _ in range(3)]
    for i, cell in enumerate(cells):
        random = np.random.default_rng(i)
        cell.set_weights([random.normal(0, 0.3, w.shape) for w in cell.get_weights()])
    joined = join(cells)
    expected = np.mean([predict(cell, recovered[:8])[..., 1] for cell in cells], axis=0)
    np.testing.assert_allclose(predict(joined, recovered[:8])[..., 1], expected, atol=1e-3)
    assert joined.get_layer("lstm").units == 15
