"""The one-step cell, and the same weights unrolled over a recovery for training.

The cell corrects the first-order fall towards the session's lowest heart rate, which its input holds. With all its
weights at zero it *is* that fall; and the closer a horizon is, the less it can correct.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edge_agent.inference.forecast import QUANTILES
from edge_agent.signals.recovery import FALL_SCALE_BPM, FEATURE_NAMES, HORIZONS_S
from training.pinball import quantile_loss

# In the first seconds nobody knows much: errors are three times those at half a minute, and would rule the loss.
_EARLY_S, _EARLY_WEIGHT = 19, 0.2

FALLS = [FEATURE_NAMES.index(f"fall_{h}") for h in HORIZONS_S]
REACHES = [FEATURE_NAMES.index(f"reach_{h}") for h in HORIZONS_S]


def build_cell(hidden: int) -> keras.Model:
    """The cell as the device runs it.

    Args:
        hidden: LSTM units.

    Returns:
        A model from `x` (1, features) and `state` (1, 2 x hidden; hidden state, then cell state) to `y`
        (1, horizons x quantiles), change in bpm until each horizon with its quantiles side by side, and the next
        `state`.
    """
    x = keras.Input(batch_shape=(1, len(FEATURE_NAMES)), name="x")
    state = keras.Input(batch_shape=(1, 2 * hidden), name="state")
    h, c = state[:, :hidden], state[:, hidden:]
    _, (h, c) = keras.layers.LSTMCell(hidden, name="lstm")(x, [h, c])
    # The head also sees the features themselves: what is linear in them need not pass through the recurrence.
    raw = keras.layers.Dense(
        len(HORIZONS_S) * len(QUANTILES), kernel_initializer=keras.initializers.RandomUniform(-0.05, 0.05), name="head"
    )(keras.ops.concatenate([h, x], axis=-1))
    return keras.Model([x, state], [corrected(raw, x), keras.ops.concatenate([h, c], axis=-1)], name="recovery")


def join(cells: Sequence[keras.Model]) -> keras.Model:
    """One cell that forecasts the mean of several: their LSTMs side by side, which do not see each other.

    The medians are the mean of the cells' medians exactly; the steps to the outer quantiles are those of the mean raw
    output.

    Args:
        cells: from `build_cell`, of the same size.
    """
    hidden, count = cells[0].get_layer("lstm").units, len(cells)
    joined = build_cell(hidden * count)
    features = len(FEATURE_NAMES)
    kernel = np.zeros((features, 4, count, hidden), np.float32)
    recurrent = np.zeros((count, hidden, 4, count, hidden), np.float32)
    bias = np.zeros((4, count, hidden), np.float32)
    heads = [cell.get_layer("head").get_weights() for cell in cells]
    for i, cell in enumerate(cells):
        one_kernel, one_recurrent, one_bias = cell.get_layer("lstm").get_weights()
        kernel[:, :, i] = one_kernel.reshape(features, 4, hidden)
        recurrent[i, :, :, i] = one_recurrent.reshape(hidden, 4, hidden)
        bias[:, i] = one_bias.reshape(4, hidden)
    width = hidden * count
    joined.get_layer("lstm").set_weights(
        [kernel.reshape(features, 4 * width), recurrent.reshape(width, 4 * width), bias.reshape(4 * width)]
    )
    of_hidden = np.concatenate([weights[:hidden] for weights, _ in heads]) / count
    of_features = np.mean([weights[hidden:] for weights, _ in heads], axis=0)
    joined.get_layer("head").set_weights(
        [np.concatenate([of_hidden, of_features]), np.mean([head_bias for _, head_bias in heads], axis=0)]
    )
    return joined


def corrected(raw: Any, x: Any) -> Any:  # noqa: ANN401 - tensors of any backend form
    """Turn the head's raw output into quantiles of the change that cannot cross.

    Args:
        raw: (..., horizons x 3).
        x: features it was made from, (..., features).

    Returns:
        Quantiles of the change in bpm, (..., horizons x 3).
    """
    parts = []
    for i, scale_bpm in enumerate(FALL_SCALE_BPM):
        fall, reach = (x[..., j : j + 1] for j in (FALLS[i], REACHES[i]))
        median = fall + reach * raw[..., 3 * i + 1 : 3 * i + 2]
        below = reach * (keras.ops.elu(raw[..., 3 * i : 3 * i + 1]) + 1.0)
        above = reach * (keras.ops.elu(raw[..., 3 * i + 2 : 3 * i + 3]) + 1.0)
        parts += [(median - below) * scale_bpm, median * scale_bpm, (median + above) * scale_bpm]
    return keras.ops.concatenate(parts, axis=-1)


def unroll(cell: keras.Model, x: tf.Tensor, known: tf.Tensor) -> tf.Tensor:
    """Run the cell over many recoveries side by side, each from zero state.

    Args:
        cell: from `build_cell`; its weights are used, not its graph.
        x: (seconds, recoveries, features).
        known: 1 where the device runs the cell, 0 where it leaves the state as it is, (seconds, recoveries).

    Returns:
        Quantiles of the change in bpm, (seconds, recoveries, horizons x quantiles).
    """
    lstm, head = cell.get_layer("lstm"), cell.get_layer("head")
    seconds, recoveries, hidden = x.shape[0], x.shape[1], lstm.units
    gates = tf.tensordot(x, lstm.kernel, 1) + lstm.bias
    outputs = tf.TensorArray(tf.float32, size=seconds, element_shape=(recoveries, hidden))

    def step(
        t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
        runs = known[t][:, None]
        i, f, g, o = tf.split(gates[t] + tf.matmul(h, lstm.recurrent_kernel), 4, axis=1)
        next_c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        next_h = tf.sigmoid(o) * tf.tanh(next_c)
        c, h = runs * next_c + (1.0 - runs) * c, runs * next_h + (1.0 - runs) * h
        return t + 1, h, c, outputs.write(t, h)

    zeros = tf.zeros((recoveries, hidden))
    *_, outputs = tf.while_loop(
        lambda t, *_: t < seconds, step, (tf.constant(0), zeros, zeros, outputs), maximum_iterations=seconds
    )
    raw = tf.tensordot(tf.concat([outputs.stack(), x], axis=-1), head.kernel, 1) + head.bias
    return corrected(raw, x)


def pinball(y: tf.Tensor, change_bpm: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
    """Quantile loss in units of `FALL_SCALE_BPM`.

    Args:
        y: quantiles, (seconds, recoveries, horizons x quantiles).
        change_bpm: what happened, (seconds, recoveries, horizons), NaN where unknown.
        weight: of each recovery, (recoveries,).

    Returns:
        Mean loss over what is known, a scalar.
    """
    loss, known = quantile_loss(y, change_bpm, FALL_SCALE_BPM)
    early = tf.where(tf.range(change_bpm.shape[0]) < _EARLY_S, _EARLY_WEIGHT, 1.0)
    counted = known * weight[None, :, None] * early[:, None, None]
    return tf.reduce_sum(loss * counted) / tf.maximum(tf.reduce_sum(counted), 1e-6)
