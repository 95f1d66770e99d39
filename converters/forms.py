"""Converts a model by recipes in a child process: a converter that crashes costs a recipe, not the conversion."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from converters.errors import ConversionError
from converters.keras_file import recurrent_loops
from converters.recipes import Recipe

Array = NDArray[np.float32]

_TIMEOUT_S = 900.0  # ten times what the largest model here takes on a slow machine


@dataclass(frozen=True, slots=True, eq=False)
class Forms:
    """What a model was converted to.

    Attributes:
        models: recipe to its TFLite model.
        refused: recipe to the reason there is none, one sentence.
        answers: what the float model answers to each sequence, float32 (inputs, outputs).
    """

    models: dict[str, bytes]
    refused: dict[str, str]
    answers: list[Array]


def make_forms(
    model: Path, recipes: Sequence[Recipe], *, calibration: Array | None = None, sequences: Sequence[Array] = ()
) -> Forms:
    """Convert a Keras model by each recipe.

    Args:
        model: `.keras` file with a batch of one. A model with a second input is a cell: that input is its state, and
            its second output the state after it.
        recipes: to convert by.
        calibration: inputs in their order, float32 (inputs, *input shape), that show integer recipes the range of every
            activation; a cell carries its state through them.
        sequences: inputs that the float model is to answer, each from zero state.

    Raises:
        ConversionError: the file is no Keras model, or the float model itself cannot be run.
    """
    loops = recurrent_loops(model)
    refused: dict[str, str] = {}
    if loops:
        for recipe in recipes:
            if recipe.integer:
                refused[recipe.name] = (
                    f"the recurrent layer {loops[0]} becomes a WHILE loop, in which the converter crashes while it "
                    "calibrates; use a one-step cell or unroll=True"
                )
    with TemporaryDirectory() as folder:
        work = Path(folder)
        shutil.copy(model, work / "model.keras")
        for i, sequence in enumerate(sequences):
            np.save(work / f"sequence_{i:03}.npy", sequence)
        if calibration is not None:
            np.save(work / "calibration.npy", calibration)
        wanted = [recipe.name for recipe in recipes if recipe.name not in refused]
        left: list[str] | None = None
        while left is None or left:
            ended = _run(work, wanted if left is None else left)
            if not all((work / f"answers_{i:03}.npy").exists() for i in range(len(sequences))):
                msg = f"{model}: the Keras model cannot be run ({ended}); train it again with edge-train"
                raise ConversionError(msg)
            left = [name for name in wanted if not _settled(work, name)]
            if left:
                (work / f"{left[0]}.refused").write_text(f"the converter {ended}", encoding="utf-8")
                left = left[1:]
        for file in work.glob("*.refused"):
            refused[file.stem] = file.read_text(encoding="utf-8")
        return Forms(
            {name: (work / f"{name}.tflite").read_bytes() for name in wanted if name not in refused},
            refused,
            [np.load(work / f"answers_{i:03}.npy") for i in range(len(sequences))],
        )


def _settled(work: Path, name: str) -> bool:
    return (work / f"{name}.tflite").exists() or (work / f"{name}.refused").exists()


def _run(work: Path, recipes: Sequence[str]) -> str:
    """Let a child work through recipes; how it ended, in words."""
    try:
        child = subprocess.run(  # noqa: S603 - our own module, our own files
            [sys.executable, "-m", "converters.workshop", str(work), *recipes],
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"gave no result within {_TIMEOUT_S:.0f} s"
    return how_it_ended(child)


def how_it_ended(child: subprocess.CompletedProcess[str]) -> str:
    """What became of a child process, in words that follow its name."""
    if child.returncode < 0:
        return f"crashed ({signal.Signals(-child.returncode).name})"
    if child.returncode:
        return f"failed: {(child.stderr.strip().splitlines() or ['no reason given'])[-1]}"
    return "ended without a result"
