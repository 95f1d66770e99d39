"""The one-step cell, and the same weights unrolled over time for training.

The device runs one step a second and carries the state itself; training runs minutes at a time. Both are made of the
same two layers, so a weight exists once.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from edge_agent.inference.forecast import QUANTILES
from training.dataset import HORIZONS_S
from training.pinball import quantile_loss

# A change of about this size (bpm) is one unit of the network's output: the error of persistence at each horizon, which
# also weighs the horizons alike in the loss.
SCALE_BPM = (2.0, 5.0, 8.0)


def build_cell(features: int, hidden: int) -> keras.Model:
    """The cell as the device runs it.

    Args:
        features: length of a feature vector.
        hidden: LSTM units.

    Returns:
        A model from `x` (1, features) and `state` (1, 2 x hidden; hidden state, then cell state) to `y`
        (1, horizons x quantiles), change in bpm with the quantiles of one horizon side by side, and the next `state`.
    """
    x = keras.Input(batch_shape=(1, features), name="x")
    state = keras.Input(batch_shape=(1, 2 * hidden), name="state")
    h, c = state[:, :hidden], state[:, hidden:]
    _, (h, c) = keras.layers.LSTMCell(hidden, name="lstm")(x, [h, c])
    # The head also sees the features themselves: what is linear in them need not pass through the recurrence.
    raw = keras.layers.Dense(
        len(HORIZONS_S) * len(QUANTILES), kernel_initializer=keras.initializers.RandomUniform(-0.05, 0.05), name="head"
    )(keras.ops.concatenate([h, x], axis=-1))
    return keras.Model([x, state], [spread(raw), keras.ops.concatenate([h, c], axis=-1)], name="workout")


def spread(raw: Any) -> Any:  # noqa: ANN401 - a tensor of any backend form
    """Turn the head's raw output into quantiles that cannot cross.

    The median is free, the outer two lie a positive step (ELU + 1, which TFLite has as one operator) to its sides.

    Args:
        raw: (..., horizons x 3).

    Returns:
        Quantiles of the change in bpm, (..., horizons x 3).
    """
    parts = []
    for i, scale_bpm in enumerate(SCALE_BPM):
        median = raw[..., 3 * i + 1 : 3 * i + 2]
        below = keras.ops.elu(raw[..., 3 * i : 3 * i + 1]) + 1.0
        above = keras.ops.elu(raw[..., 3 * i + 2 : 3 * i + 3]) + 1.0
        parts += [(median - below) * scale_bpm, median * scale_bpm, (median + above) * scale_bpm]
    return keras.ops.concatenate(parts, axis=-1)


def unroll(cell: keras.Model, x: tf.Tensor, restarted: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Run the cell over time, for many sessions side by side.

    What the inputs contribute to the gates is one matrix product for all seconds; only the recurrence is a loop.

    Args:
        cell: from `build_cell`; its weights are used, not its graph.
        x: (seconds, sessions, features).
        restarted: 1 where the state is zeroed before that second, else 0, (seconds, sessions).
        state: (sessions, 2 x hidden).

    Returns:
        Quantiles of the change in bpm, (seconds, sessions, horizons x quantiles), and the last state.
    """
    lstm, head = cell.get_layer("lstm"), cell.get_layer("head")
    seconds, hidden = x.shape[0], lstm.units
    gates = tf.tensordot(x, lstm.kernel, 1) + lstm.bias
    kept = 1.0 - restarted
    outputs = tf.TensorArray(tf.float32, size=seconds, element_shape=(x.shape[1], hidden))

    def step(
        t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: tf.TensorArray
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.TensorArray]:
        keep = kept[t][:, None]
        i, f, g, o = tf.split(gates[t] + tf.matmul(h * keep, lstm.recurrent_kernel), 4, axis=1)
        c = tf.sigmoid(f) * c * keep + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
        return t + 1, h, c, outputs.write(t, h)

    _, h, c, outputs = tf.while_loop(
        lambda t, *_: t < seconds,
        step,
        (tf.constant(0), state[:, :hidden], state[:, hidden:], outputs),
        maximum_iterations=seconds,
    )
    raw = tf.tensordot(tf.concat([outputs.stack(), x], axis=-1), head.kernel, 1) + head.bias
    return spread(raw), tf.concat([h, c], axis=1)


def pinball(y: tf.Tensor, change_bpm: tf.Tensor) -> tf.Tensor:
    """Quantile loss in units of `SCALE_BPM`.

    Args:
        y: quantiles, (..., horizons x quantiles).
        change_bpm: what happened, (..., horizons), NaN where unknown.

    Returns:
        Mean loss over what is known, a scalar.
    """
    loss, counted = quantile_loss(y, change_bpm, SCALE_BPM)
    return tf.reduce_sum(loss * counted) / tf.maximum(tf.reduce_sum(counted), 1.0)


def zero_state(cell: keras.Model, sessions: int) -> tf.Tensor:
    """The state that a session starts from, (sessions, 2 x hidden)."""
    return tf.zeros((sessions, 2 * cell.get_layer("lstm").units))
