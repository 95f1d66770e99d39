"""Multiply-accumulates of one answer, from the shapes of a model's layers."""

from __future__ import annotations

import math

import keras
from keras import layers

from training.errors import TrainingError


def macs(model: keras.Model) -> int:
    """Multiply-accumulates with weights for a batch of one; additions, activations and pooling are not counted.

    Raises:
        TrainingError: a layer is of a kind that it has no rule for.
    """
    return sum(_of(layer) for layer in model.layers)


def _of(layer: keras.Layer) -> int:
    # A batch normalisation is folded into the layer before it by every converter.
    if isinstance(layer, layers.BatchNormalization) or not layer.weights:
        return 0
    if isinstance(layer, keras.Model):
        return macs(layer)
    kernels: int = sum(int(math.prod(w.shape)) for w in layer.weights if "bias" not in w.name)
    match layer:
        case (
            layers.Dense()
            | layers.Conv1D()
            | layers.Conv2D()
            | layers.DepthwiseConv1D()
            | layers.SeparableConv1D()
            | layers.DepthwiseConv2D()
            | layers.SeparableConv2D()
        ):
            # Every kernel is applied once at each place of the output.
            return kernels * int(math.prod(layer.output.shape[1:-1]))
        case layers.LSTM() | layers.GRU() | layers.SimpleRNN():
            return kernels * int(layer.input.shape[1])
        case layers.LSTMCell() | layers.GRUCell() | layers.SimpleRNNCell():
            return kernels
        case _:
            msg = f"no rule counts the multiply-accumulates of {type(layer).__name__}; add one to training/zoo/macs.py"
            raise TrainingError(msg)
