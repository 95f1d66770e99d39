"""Ways of turning a cell into TFLite, as named functions.

A name says what becomes of the numbers: `float32` leaves them alone; `dynamic_` keeps the arithmetic on activations
float and stores weights in fewer bits; `wi8` is 8-bit integer weights, `afp32` float activations, `per_tensor` one
scale for a whole matrix where the default is one per row.

All of them convert with a fixed batch of one second. Integer activations are not among the recipes: measured on x86, an
8-bit LSTM is slower than float and several times less exact.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO

import keras
import tensorflow as tf

TFLITE_RUNTIME = "tflite-runtime"
LITERT = "ai-edge-litert"


def float32(cell: keras.Model) -> bytes:
    """Weights and arithmetic as trained."""
    return _converted(tf.lite.TFLiteConverter.from_keras_model(cell))


def dynamic_wi8_per_tensor(cell: keras.Model) -> bytes:
    """8-bit weights, one scale per matrix: FULLY_CONNECTED stays at a version (9) that tflite-runtime 2.14 knows."""
    converter = tf.lite.TFLiteConverter.from_keras_model(cell)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001 - no public name
    return _converted(converter)


def dynamic_wi8_afp32(cell: keras.Model) -> bytes:
    """8-bit weights, one scale per row: more exact, but FULLY_CONNECTED version 12, which only LiteRT knows."""
    converter = tf.lite.TFLiteConverter.from_keras_model(cell)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return _converted(converter)


def _converted(converter: tf.lite.TFLiteConverter) -> bytes:
    with redirect_stdout(StringIO()):  # it prints the signature of the function it traced
        return bytes(converter.convert())


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way of converting, and what is asked of its result.

    Attributes:
        convert: makes the TFLite model.
        runtimes: that can run it.
        limit_bpm: largest deviation from the Keras cell at which the result is still accepted. Heart rate comes in
            whole beats, and the median forecast at 10 s is 1 bpm off in the mean.
    """

    convert: Callable[[keras.Model], bytes]
    runtimes: tuple[str, ...]
    limit_bpm: float

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.convert.__name__


# In the order of preference on a device: float is as fast as 8 bits there, and exact.
RECIPES = (
    Recipe(float32, (TFLITE_RUNTIME, LITERT), 0.01),
    Recipe(dynamic_wi8_afp32, (LITERT,), 2.0),
    Recipe(dynamic_wi8_per_tensor, (TFLITE_RUNTIME, LITERT), 2.0),
)
