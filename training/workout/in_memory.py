"""A trained cell as a device would run it, without writing a bundle: for the cells that only a report is made of."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO

import keras
import numpy as np
import tensorflow as tf

from edge_agent import __version__
from edge_agent.inference.bundle import SCHEMA, Bundle, Manifest, StreamingCell
from edge_agent.inference.forecast import QUANTILES
from edge_agent.inference.runtime import Cell
from edge_agent.signals.features import CONTRACT, FEATURE_NAMES
from training.dataset import HORIZONS_S

_RUNTIME = "ai-edge-litert"  # the one that loads in a process which has TensorFlow in it


def in_memory(cell: keras.Model) -> tuple[Bundle, Cell]:
    """Convert a cell to float TFLite and open it."""
    with redirect_stdout(StringIO()):  # it prints the signature of the function it traced
        model = bytes(tf.lite.TFLiteConverter.from_keras_model(cell).convert())
    state_size = 2 * cell.get_layer("lstm").units
    manifest = Manifest(
        schema=SCHEMA,
        task="workout",
        version=f"{__version__}+memory",
        interface=StreamingCell(CONTRACT, FEATURE_NAMES, state_size, HORIZONS_S, QUANTILES),
        data=(),
        metrics=(),
        sha256={},
        minimum_agent_version=__version__,
        variants=(),
    )
    nothing = np.zeros((0, 0), np.float32)
    return (
        Bundle(manifest, {}, nothing, nothing),
        Cell(model, recipe="float32", runtime=_RUNTIME, state_size=state_size),
    )
