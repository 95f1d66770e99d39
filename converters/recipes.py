"""Ways of turning a model into TFLite, as named functions.

A name says what becomes of the numbers. `float32` leaves them alone and `float16` halves the stored weights.
`dynamic_` keeps the arithmetic on activations float and stores weights in fewer bits; `wi8` is 8-bit integer weights,
`afp32` float activations, `per_tensor` one scale for a whole matrix where the default is one per row. `full_int8` and
`int16x8` compute with integers throughout, on activations of 8 and of 16 bits whose ranges are measured on calibration
inputs; their inputs and outputs stay float.

Each function sets a `tf.lite.TFLiteConverter`, and is called where TensorFlow is loaded (`converters.workshop`): this
module itself loads nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TFLITE_RUNTIME = "tflite-runtime"
LITERT = "ai-edge-litert"

# One set of model inputs at a time, by name, each with its batch of one.
Calibration = Callable[[], Iterator[dict[str, Any]]]


def float32(converter: Any, calibration: Calibration) -> None:  # noqa: ANN401 - tensorflow has no types
    """Weights and arithmetic as trained."""


def float16(converter: Any, calibration: Calibration) -> None:  # noqa: ANN401, ARG001
    """Weights of half the size; the runtime widens them when it loads the model, and computes in float32."""
    import tensorflow as tf  # noqa: PLC0415 - only where a model is converted

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def dynamic_wi8_afp32(converter: Any, calibration: Calibration) -> None:  # noqa: ANN401, ARG001
    """8-bit weights, one scale per row: the more exact one, but dense layers then need FULLY_CONNECTED version 12."""
    import tensorflow as tf  # noqa: PLC0415

    converter.optimizations = [tf.lite.Optimize.DEFAULT]


def dynamic_wi8_per_tensor(converter: Any, calibration: Calibration) -> None:  # noqa: ANN401
    """8-bit weights, one scale per dense matrix: FULLY_CONNECTED stays at a version (9) that both runtimes know."""
    dynamic_wi8_afp32(converter, calibration)
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001 - no public name


def full_int8(converter: Any, calibration: Calibration) -> None:  # noqa: ANN401
    """8-bit integers throughout."""
    import tensorflow as tf  # noqa: PLC0415

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001 - as above


def int16x8(converter: Any, calibration: Calibration) -> None:  # noqa: ANN401
    """16-bit integer activations on 8-bit weights: more exact than `full_int8`, and without fast kernels anywhere."""
    import tensorflow as tf  # noqa: PLC0415

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8]
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True  # noqa: SLF001 - as above


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way of converting.

    Attributes:
        apply: sets the converter.
        serves: which models, in words.
        meant_for: which runtimes, in words; whether one of them runs a given model is read from the operators of the
            result (`converters.flatbuffer`) and then measured.
        integer: computes with integers, on ranges that calibration inputs have to show. Does not serve models with a
            recurrent loop: the converter crashes while it calibrates one (TensorFlow 2.21).
    """

    apply: Callable[[Any, Calibration], None]
    serves: str
    meant_for: str
    integer: bool = False

    @property
    def name(self) -> str:
        """Name of the function."""
        return self.apply.__name__


_EVERY, _NO_LOOP = "every model", "feed-forward models and one-step cells, no recurrent loop"
_BOTH = f"{TFLITE_RUNTIME} and {LITERT}"

RECIPES = (
    Recipe(float32, _EVERY, _BOTH),
    Recipe(float16, _EVERY, _BOTH),
    Recipe(dynamic_wi8_afp32, _EVERY, f"{LITERT}; {TFLITE_RUNTIME} where there is no dense layer"),
    Recipe(dynamic_wi8_per_tensor, _EVERY, _BOTH),
    Recipe(
        full_int8, _NO_LOOP, f"{LITERT}, which has fast kernels for it; {TFLITE_RUNTIME} runs it slowly", integer=True
    ),
    Recipe(int16x8, _NO_LOOP, f"{_BOTH}, slowly", integer=True),
)
BY_NAME = {recipe.name: recipe for recipe in RECIPES}
