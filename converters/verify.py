"""Compares a converted model with the Keras cell, over hours of carried state, on a real runtime."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from converters.errors import ConversionError

_TIMEOUT_S = 120  # two hours of seconds take a tenth of a second; a runtime that needs this long is stuck


@dataclass(frozen=True, slots=True)
class Comparison:
    """One form of the model on one runtime against the Keras cell.

    Attributes:
        recipe: the form.
        runtime: it ran on.
        model_bytes: size of the TFLite model.
        max_error_bpm: largest deviation of any output at any second.
        mean_error_bpm: mean deviation.
        last_error_bpm: mean deviation in the last tenth of the sequence, where carried errors would have piled up.
        step_us: median time of a step in microseconds, tensors in and out included.
    """

    recipe: str
    runtime: str
    model_bytes: int
    max_error_bpm: float
    mean_error_bpm: float
    last_error_bpm: float
    step_us: float


def keras_answers(cell: keras.Model, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the Keras cell says to a sequence from zero state.

    Args:
        cell: from `training.workout.model.build_cell`.
        x: features, float32 (seconds, features).

    Returns:
        float32 (seconds, outputs).
    """
    function = tf.function(cell)
    state = np.zeros(cell.inputs[1].shape, np.float32)
    answers = []
    for row in x:
        y, state = function([row[None], state])
        answers.append(y.numpy()[0])
    return np.array(answers, np.float32)


def compare(
    model: bytes, *, recipe: str, runtime: str, x: NDArray[np.float32], expected: NDArray[np.float32], state_size: int
) -> Comparison:
    """Run a converted model in a child process and compare its answers.

    Raises:
        ConversionError: the runtime is not installed, crashes, refuses the model, or answers nonsense.
    """
    where = f"{recipe} on {runtime}"
    with TemporaryDirectory() as folder:
        model_file, inputs, outputs = (Path(folder) / name for name in ("model.tflite", "inputs.npy", "outputs.npy"))
        model_file.write_bytes(model)
        np.save(inputs, x)
        command = [sys.executable, "-m", "converters.answer", runtime, str(state_size)]
        try:
            child = subprocess.run(  # noqa: S603 - our own module, our own files
                [*command, str(model_file), str(inputs), str(outputs)],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            msg = f"{where}: no answer within {_TIMEOUT_S} s; use another recipe"
            raise ConversionError(msg) from error
        if child.returncode < 0:
            msg = f"{where}: the runtime crashed ({signal.Signals(-child.returncode).name}); use another recipe"
            raise ConversionError(msg)
        if child.returncode:
            reason = (child.stderr.strip().splitlines() or ["no reason given"])[-1]
            msg = f"{where}: {reason}; run: pip install 'heartline[train]', or use another recipe"
            raise ConversionError(msg)
        answers = np.load(outputs)
    if answers.shape != expected.shape or not np.isfinite(answers).all():
        msg = f"{where}: the answers are not finite values of shape {expected.shape}; use another recipe"
        raise ConversionError(msg)
    error_bpm = np.abs(answers - expected)
    return Comparison(
        recipe,
        runtime,
        len(model),
        float(error_bpm.max()),
        float(error_bpm.mean()),
        float(error_bpm[-max(len(x) // 10, 1) :].mean()),
        float(child.stdout),
    )
