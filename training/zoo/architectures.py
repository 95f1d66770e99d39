"""The registry: an architecture is one function here and one line in `ZOO`.

A function takes the input tensor and the task's `Head`, and returns the output tensor. Sizes are small, as on a device,
and of one order, but for the two textbook networks, which have the sizes their textbooks give them and see the window
in the form those ask for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import layers

from training.zoo.views import SEQUENCE, SPECTROGRAM, TEN_BY_TEN

_UNITS = 32

# A sigmoid ends at 0 and 1: where a change of heart rate is asked for, the two ends stand for this many units of the
# target's scale down and up.
_REACH = 4.0


@dataclass(frozen=True, slots=True)
class Head:
    """The last layer, which a task gives to every architecture.

    Attributes:
        outputs: a change for each horizon, or a probability for each class.
        activation: `linear` where a change is asked for, `softmax` where classes are.
    """

    outputs: int
    activation: str

    def __call__(self, x: Any) -> Any:  # noqa: ANN401 - Keras tensors have no types
        """The task's own last layer, (windows, outputs)."""
        return layers.Dense(self.outputs, activation=self.activation, name="head")(x)

    def sigmoid(self, x: Any) -> Any:  # noqa: ANN401
        """A sigmoid for each output: the probability of a class as it is, a change after scaling to both signs."""
        y = layers.Dense(self.outputs, activation="sigmoid", name="head")(x)
        return y if self.activation == "softmax" else layers.Rescaling(2 * _REACH, -_REACH)(y)


@dataclass(frozen=True, slots=True)
class Architecture:
    """An entry of the registry.

    Attributes:
        layers: makes the output tensor from the input tensor and the head.
        view: the form of the window that it is fed with (`training.zoo.views`).
    """

    layers: Callable[[Any, Head], Any]
    view: str = SEQUENCE

    @property
    def name(self) -> str:
        """Name of the function, with hyphens."""
        return self.layers.__name__.replace("_", "-")

    def build(self, shape: tuple[int, ...], head: Head, batch: int | None = None) -> keras.Model:
        """A model with fresh weights.

        Args:
            shape: of one window in `view`.
            head: of the task.
            batch: fixed number of windows in a batch, as a device needs it; any number when None.
        """
        x = keras.Input(batch_shape=(batch, *shape), name="window")
        return keras.Model(x, self.layers(x, head), name=self.name)


def lstm(x: Any, head: Head) -> Any:  # noqa: ANN401
    """Hochreiter and Schmidhuber 1997, Neural Computation 9:1735."""
    return head(layers.LSTM(_UNITS, name="lstm")(x))


def gru(x: Any, head: Head) -> Any:  # noqa: ANN401
    """Cho et al. 2014, EMNLP: two gates where the LSTM has three."""
    return head(layers.GRU(_UNITS, name="gru")(x))


def rnn(x: Any, head: Head) -> Any:  # noqa: ANN401
    """Elman 1990, Cognitive Science 14:179: no gates at all."""
    return head(layers.SimpleRNN(_UNITS, name="rnn")(x))


def mlp(x: Any, head: Head) -> Any:  # noqa: ANN401
    """Two dense layers on the whole window: time is just more columns."""
    for units in (64, 32):
        x = layers.Dense(units, activation="relu")(layers.Flatten()(x) if units == 64 else x)  # noqa: PLR2004
    return head(x)


def cnn(x: Any, head: Head) -> Any:  # noqa: ANN401
    """Three convolutions over time, each halving it, and a dense layer on what is left."""
    for width in (7, 5, 3):
        x = layers.MaxPooling1D(2)(layers.Conv1D(_UNITS, width, padding="same", activation="relu")(x))
    return head(layers.Dense(_UNITS, activation="relu")(layers.Flatten()(x)))


def cnn_lstm_gru(x: Any, head: Head) -> Any:  # noqa: ANN401
    """Convolution for what is local, an LSTM and a GRU for what follows from it."""
    x = layers.MaxPooling1D(2)(layers.Conv1D(_UNITS, 5, padding="same", activation="relu")(x))
    return head(layers.GRU(_UNITS, name="gru")(layers.LSTM(_UNITS, return_sequences=True, name="lstm")(x)))


def tcn(x: Any, head: Head) -> Any:  # noqa: ANN401
    """Bai, Kolter and Koltun 2018, arXiv:1803.01271: causal convolutions whose dilation doubles, with residuals.

    The last step sees 63 steps back.
    """
    x = layers.Conv1D(24, 1)(x)
    for dilation in (1, 2, 4, 8, 16):
        y = layers.Conv1D(24, 3, padding="causal", dilation_rate=dilation, activation="relu")(x)
        x = layers.Add()([x, y])
    return head(x[:, -1])


def lstm_100(x: Any, head: Head) -> Any:  # noqa: ANN401
    """The textbook forecaster: 10 steps of 10 features, LSTM(100), dropout 0.2, one output per number asked for."""
    return head(layers.Dropout(0.2)(layers.LSTM(100, name="lstm")(x)))


def conv2d_28(x: Any, head: Head) -> Any:  # noqa: ANN401
    """The textbook classifier: 28 x 28 x 1, Conv2D 32 and 64, dense 64, a sigmoid per number asked for."""
    for filters in (32, 64):
        x = layers.MaxPooling2D(2)(layers.Conv2D(filters, 3, activation="relu")(x))
    return head.sigmoid(layers.Dense(64, activation="relu")(layers.Flatten()(x)))


ZOO = {
    architecture.name: architecture
    for architecture in (
        Architecture(lstm),
        Architecture(gru),
        Architecture(rnn),
        Architecture(mlp),
        Architecture(cnn),
        Architecture(cnn_lstm_gru),
        Architecture(tcn),
        Architecture(lstm_100, TEN_BY_TEN),
        Architecture(conv2d_28, SPECTROGRAM),
    )
}
