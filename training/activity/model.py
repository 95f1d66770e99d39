"""The network: a compact one-dimensional CNN with two eyes, one on the movement and one on its spectrum."""

from __future__ import annotations

import keras
from keras import layers

from edge_agent.signals.acceleration import CHANNELS, TIME_CHANNELS, WINDOW_SAMPLES
from training.activity.classes import CLASSES

_MOMENTUM = 0.95  # batch normalisation settles within some dozens of steps


def build(batch: int | None = None) -> keras.Model:
    """The network: a window, float32 (windows, 125, channels), to one logit per class, float32 (windows, classes).

    Args:
        batch: windows at a time; None for any number.
    """
    # In time, where something happens does not matter: what the filters found is averaged, and its maximum taken, over
    # the window. In frequency it does: the spectrum keeps its order.
    window = keras.Input((WINDOW_SAMPLES, len(CHANNELS)), batch_size=batch, name="x")
    x = _convolved(window[:, :, :TIME_CHANNELS], 24, 7, strides=2)
    x = _convolved(x, 32, 5)
    x = layers.MaxPooling1D(2, padding="same")(x)
    x = _convolved(x, 40, 5)
    x = _convolved(x, 40, 3, strides=2)
    x = _convolved(x, 40, 3)
    movement = [layers.GlobalAveragePooling1D()(x), layers.GlobalMaxPooling1D()(x)]
    y = _convolved(window[:, :, TIME_CHANNELS:], 12, 7, strides=3)
    y = _convolved(y, 16, 5, strides=2)
    y = _convolved(y, 12, 3, strides=2)
    spectrum = layers.Dense(24, activation="relu")(layers.Dropout(0.2)(layers.Flatten()(y)))
    seen = layers.Dropout(0.3)(layers.Concatenate()([*movement, spectrum]))
    return keras.Model(window, layers.Dense(len(CLASSES))(seen), name="activity")


def _convolved(x: keras.KerasTensor, filters: int, width: int, strides: int = 1) -> keras.KerasTensor:
    x = layers.Conv1D(filters, width, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(momentum=_MOMENTUM)(x))


def macs(model: keras.Model) -> int:
    """Multiplications of a network for one window."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv1D):
            total += layer.output.shape[1] * layer.kernel.shape[0] * layer.kernel.shape[1] * layer.kernel.shape[2]
        elif isinstance(layer, layers.Dense):
            total += layer.kernel.shape[0] * layer.kernel.shape[1]
    return int(total)
