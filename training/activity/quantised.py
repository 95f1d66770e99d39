"""The networks in 8-bit integers, on people that they have not seen: what quantisation costs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edge_agent.signals.acceleration import view
from training.activity.crossval import Fold
from training.activity.dataset import Windows
from training.activity.model import build

REPRESENTATIVE = 500  # windows whose ranges the integers are fitted to


def int8_answers(folds: list[Fold], windows: Windows, seed: int) -> NDArray[np.float32]:
    """Logits as `crossval.answers` gives them, of the networks in full 8-bit form on LiteRT, (windows, classes)."""
    said = []
    order = []
    for fold in folds:
        held = fold.held(windows)
        network = fold.networks[seed]
        said.append(_run(_quantised(network, representative(windows.where(~held))), windows.where(held)))
        order.append(np.flatnonzero(held))
    answers = np.empty((len(windows), said[0].shape[1]), np.float32)
    answers[np.concatenate(order)] = np.concatenate(said)
    return answers


def representative(windows: Windows) -> NDArray[np.float32]:
    """Inputs that stand for all of them, evenly over people and classes: float32 (windows, samples, channels)."""
    order = np.lexsort((windows.label, windows.group))
    chosen = order[:: max(len(order) // REPRESENTATIVE, 1)][:REPRESENTATIVE]
    return view(windows.acceleration_mps2[chosen], windows.placement[chosen])


def _quantised(network: keras.Model, inputs: NDArray[np.float32]) -> bytes:
    def calibration() -> Iterator[list[NDArray[np.float32]]]:
        for x in inputs:
            yield [x[None]]

    one_at_a_time = build(batch=1)
    one_at_a_time.set_weights(network.get_weights())
    converter = tf.lite.TFLiteConverter.from_keras_model(one_at_a_time)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = calibration
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of input statistics that the calibration gives
        return bytes(converter.convert())


def _run(model: bytes, windows: Windows) -> NDArray[np.float32]:
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    x_at, y_at = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    said = []
    for x in view(windows.acceleration_mps2, windows.placement):
        interpreter.set_tensor(x_at, x[None])
        interpreter.invoke()
        said.append(interpreter.get_tensor(y_at)[0])
    return np.array(said, np.float32)
