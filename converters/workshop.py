"""Child process of `converters.forms`: everything that needs TensorFlow, in a process that may crash.

    python -m converters.workshop FOLDER RECIPE...

FOLDER holds `model.keras` and, where they are wanted, `calibration.npy` (inputs to calibrate integer recipes on) and
`sequence_<i>.npy` (inputs to answer). For each sequence the float model's answers are written, `answers_<i>.npy`; for
each recipe `<recipe>.tflite`, or `<recipe>.refused` with the reason in one line. A recipe of which neither is found is
the one that the process died on.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.python.convert_phase import ConverterError

from converters.recipes import BY_NAME, Recipe

_FLEX = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_CALIBRATION_STEPS = 1500  # from about a thousand on, the ranges no longer move the result


def main(folder: str, *recipes: str) -> None:
    """Answer the sequences, then convert."""
    work = Path(folder)
    model = keras.models.load_model(work / "model.keras")
    for file in sorted(work.glob("sequence_*.npy")):
        answers = [y for y, _ in _run(model, np.load(file))]
        np.save(work / file.name.replace("sequence_", "answers_"), np.array(answers, np.float32))
    calibration = work / "calibration.npy"
    inputs = _calibration(model, np.load(calibration)) if calibration.exists() else []
    for name in recipes:
        try:
            content = _convert(model, BY_NAME[name], inputs)
        except (
            _RefusedError,
            ConverterError,
            ValueError,
            RuntimeError,
            NotImplementedError,
            TypeError,
            KeyError,
        ) as error:
            (work / f"{name}.refused").write_text(_sentence(error), encoding="utf-8")
        else:
            partial = work / f"{name}.partial"
            partial.write_bytes(content)
            partial.rename(work / f"{name}.tflite")


class _RefusedError(Exception):
    pass


def _run(model: keras.Model, x: NDArray[np.float32]) -> Iterator[tuple[NDArray[np.float32], list[NDArray[np.float32]]]]:
    """The model's answer to each input of a sequence, and all that it was given; a cell's state starts from zero."""
    shape = tuple(model.inputs[0].shape[1:])
    if x.shape[1:] != shape:
        msg = f"the Keras model takes inputs of shape {shape}, it was given {x.shape[1:]}"
        raise _RefusedError(msg)
    function = tf.function(model)
    recurrent = len(model.inputs) > 1
    state = np.zeros(model.inputs[1].shape, np.float32) if recurrent else None
    for one in x:
        given = [one[None]] if state is None else [one[None], state]
        if state is None:
            y = function(one[None])
        else:
            y, after = function(given)
            state = after.numpy()
        yield y.numpy()[0], given


def _calibration(model: keras.Model, x: NDArray[np.float32]) -> list[dict[str, NDArray[np.float32]]]:
    # By name: the converter's order of inputs is not Keras'.
    names = [tensor.name for tensor in model.inputs]
    given = [dict(zip(names, inputs, strict=True)) for _, inputs in _run(model, x)]
    every = -(-len(given) // _CALIBRATION_STEPS)
    return given[::every]


def _convert(model: keras.Model, recipe: Recipe, inputs: list[dict[str, NDArray[np.float32]]]) -> bytes:
    if recipe.integer and not inputs:
        msg = "it needs calibration inputs and there are none"
        raise _RefusedError(msg)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    recipe.apply(converter, lambda: iter(inputs))
    with redirect_stdout(StringIO()):  # it prints the signature of the function it traced
        return bytes(converter.convert())


def _sentence(error: Exception) -> str:
    """The reason in one line: the converter's own messages are pages long."""
    text = str(error)
    if flex := sorted(set(_FLEX.findall(text))):
        return f"it needs the TensorFlow operators {', '.join(flex)} (Flex), which no TFLite runtime here has"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "not yet supported" in line]
    return (telling or lines or [type(error).__name__])[0]


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except _RefusedError as refusal:
        sys.exit(str(refusal))
