"""The Keras cell of a bundle, from the weights in its float form: nothing else of a training run ships."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tensorflow.lite.tools import flatbuffer_utils

from edge_agent.inference.bundle import Bundle
from training.errors import TrainingError
from training.workout.model import build_cell, unroll, zero_state

_FLOAT_FORM = "float32"
_FLOAT32 = 0  # TensorType.FLOAT32 of TFLite's schema


def cell_of(bundle: Bundle) -> keras.Model:
    """Make the cell that a bundle was converted from.

    The weights are told by their shapes, and the cell has to answer the bundle's golden pairs as its float form does.

    Raises:
        TrainingError: the bundle has no float form, or its weights do not make a cell that answers so.
    """
    manifest = bundle.manifest
    variant = next((v for v in manifest.variants if v.recipe == _FLOAT_FORM), None)
    if variant is None:
        msg = f"the bundle {manifest.version} has no {_FLOAT_FORM} form; use one that has"
        raise TrainingError(msg)
    features, hidden = len(manifest.cell.features), manifest.cell.state_size // 2
    cell = build_cell(features, hidden)
    constants = _constants(bundle.models[_FLOAT_FORM])
    weights = []
    for current in cell.get_weights():
        # A fully connected operator of TFLite holds the transpose of a Keras kernel.
        fitting = [c.T for c in constants if c.T.shape == current.shape]
        if len(fitting) != 1:
            msg = (
                f"the bundle {manifest.version} has {len(fitting)} constants of shape {current.shape} where the cell "
                "has one; use a bundle made by this version of heartline"
            )
            raise TrainingError(msg)
        weights += fitting
    cell.set_weights(weights)
    x = bundle.golden_inputs[:, None]
    answers, _ = unroll(cell, tf.constant(x), tf.zeros(x.shape[:2]), zero_state(cell, 1))
    error_bpm = float(np.abs(answers.numpy()[:, 0] - bundle.golden_outputs).max())
    if not error_bpm <= variant.tolerance:
        msg = (
            f"the weights of bundle {manifest.version} are {error_bpm:.3g} bpm off its golden pairs, "
            f"{variant.tolerance:.3g} allowed; use a bundle made by this version of heartline"
        )
        raise TrainingError(msg)
    return cell


def _constants(model: bytes) -> list[NDArray[np.float32]]:
    content = flatbuffer_utils.convert_bytearray_to_object(bytearray(model))
    found = []
    for tensor in content.subgraphs[0].tensors:
        data = content.buffers[tensor.buffer].data
        if tensor.type == _FLOAT32 and data is not None and len(data):
            found.append(np.frombuffer(bytes(data), "<f4").reshape(tensor.shape))
    return found
