"""Quantile loss (Koenker and Bassett 1978, Econometrica 46:33)."""

from __future__ import annotations

import tensorflow as tf

from edge_agent.inference.forecast import QUANTILES

# The median counts twice: it is the number that people look at.
_WEIGHTS = (1.0, 2.0, 1.0)


def quantile_loss(y: tf.Tensor, change_bpm: tf.Tensor, scale_bpm: tuple[float, ...]) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss of every forecast, in units of a horizon's scale.

    Args:
        y: quantiles, (..., horizons x quantiles).
        change_bpm: what happened, (..., horizons), NaN where unknown.
        scale_bpm: by horizon.

    Returns:
        Loss, (..., horizons), and 1 where the outcome is known, else 0, of the same shape.
    """
    known = tf.logical_not(tf.math.is_nan(change_bpm))
    target = tf.where(known, change_bpm, 0.0)[..., None]
    error = target - tf.reshape(y, (*change_bpm.shape, len(QUANTILES)))
    levels = tf.constant(QUANTILES)
    weights = tf.constant(_WEIGHTS) / tf.constant(scale_bpm)[:, None]
    loss = tf.reduce_sum(tf.maximum(levels * error, (levels - 1.0) * error) * weights, axis=-1)
    return loss, tf.cast(known, tf.float32)
