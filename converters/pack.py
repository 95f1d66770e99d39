"""From a trained cell to a bundle: convert by every recipe, verify each result, keep what holds."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from converters.errors import ConversionError
from converters.recipes import RECIPES, Recipe
from converters.tasks import TASKS
from converters.verify import Comparison, compare, keras_answers
from edge_agent import __version__
from edge_agent.inference.bundle import (
    GOLDEN_INPUTS,
    GOLDEN_OUTPUTS,
    SCHEMA,
    Manifest,
    StreamingCell,
    Variant,
    sha256,
    write_bundle,
)
from edge_agent.inference.runtime import RUNTIMES
from training.manifest import CELL, TrainingManifest

# Carried state is compared over a long session; what ships has every sensor missing once.
SEQUENCE_S = 7200
GOLDEN_S = 160

# Another processor rounds differently: a device may be this many times as far off over the golden sequence as the
# machine that converted was over the whole session.
_MARGIN = 1.5
_FLOOR_BPM = 0.001  # float32 rounding over the golden sequence


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion came to.

    Attributes:
        manifest: of the bundle that was written.
        comparisons: every form on every runtime that is installed here.
        refused: recipes that are not in the bundle, each with its reason.
    """

    manifest: Manifest
    comparisons: list[Comparison]
    refused: list[str]


def convert(
    trained: TrainingManifest,
    folder: Path,
    out: Path,
    *,
    recipes: tuple[Recipe, ...] = RECIPES,
    on_comparison: Callable[[Comparison], None] = lambda _: None,
) -> Conversion:
    """Convert, verify and pack.

    Args:
        trained: manifest in `folder`.
        folder: written by edge-train.
        out: bundle to write.
        recipes: to try, in the device's order of preference.
        on_comparison: called with each comparison as it is made.

    Raises:
        ConversionError: the cell cannot be read, belongs to another feature contract, or no recipe holds.
    """
    task = TASKS.get(trained.task)
    interface = trained.interface
    if (
        task is None
        or not isinstance(interface, StreamingCell)
        or (interface.contract, interface.features) != (task.contract, task.features)
    ):
        known = ", ".join(f"{name} on {t.contract}" for name, t in TASKS.items())
        msg = f"{folder}: {trained.task} on {interface.contract}, this version makes {known}; train it again"
        raise ConversionError(msg)
    cell = _load(folder / CELL, interface)
    x = task.sequence(SEQUENCE_S)
    expected = keras_answers(cell, x)
    models: dict[str, bytes] = {}
    variants: list[Variant] = []
    comparisons: list[Comparison] = []
    refused: list[str] = []
    for recipe in recipes:
        model = recipe.convert(cell)
        held: list[Comparison] = []
        for runtime in recipe.runtimes:
            if find_spec(RUNTIMES[runtime].partition(".")[0]) is None:
                refused.append(f"{recipe.name} on {runtime}: not installed here, so not verified")
                continue
            try:
                comparison = compare(
                    model, recipe=recipe.name, runtime=runtime, x=x, expected=expected, state_size=interface.state_size
                )
            except ConversionError as error:
                refused.append(str(error))
                continue
            on_comparison(comparison)
            comparisons.append(comparison)
            if comparison.max_error_bpm <= recipe.limit_bpm:
                held.append(comparison)
            else:
                refused.append(
                    f"{recipe.name} on {runtime}: {comparison.max_error_bpm:.3g} bpm off, "
                    f"{recipe.limit_bpm:.3g} allowed"
                )
        if held:
            worst_bpm = max(c.max_error_bpm for c in held)
            file = f"{recipe.name}.tflite"
            models[file] = model
            variants.append(
                Variant(
                    recipe=recipe.name,
                    file=file,
                    sha256=sha256(model),
                    runtimes=tuple(c.runtime for c in held),
                    max_error=worst_bpm,
                    tolerance=_MARGIN * worst_bpm + _FLOOR_BPM,
                )
            )
    if not variants:
        msg = f"{folder}: no recipe holds ({'; '.join(refused)}); train the model again, or relax a recipe's limit"
        raise ConversionError(msg)
    golden = {GOLDEN_INPUTS: _npy(x[:GOLDEN_S]), GOLDEN_OUTPUTS: _npy(expected[:GOLDEN_S])}
    manifest = Manifest(
        schema=SCHEMA,
        task=trained.task,
        version=trained.version,
        interface=trained.interface,
        data=trained.data,
        metrics=trained.metrics,
        sha256={name: sha256(content) for name, content in golden.items()},
        minimum_agent_version=__version__,
        variants=tuple(variants),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(out, manifest, models, golden)
    return Conversion(manifest, comparisons, refused)


def _load(path: Path, interface: StreamingCell) -> keras.Model:
    try:
        cell = keras.models.load_model(path)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        reason = (str(error).splitlines() or ["damaged"])[0]
        msg = f"{path}: not a Keras model ({reason}); train it again with edge-train"
        raise ConversionError(msg) from error
    shapes = [tuple(tensor.shape) for tensor in (*cell.inputs, *cell.outputs)]
    state = (1, interface.state_size)
    if shapes != [(1, *interface.input_shape), state, (1, interface.output_size), state]:
        msg = f"{path}: the cell of shapes {shapes} does not fit its manifest; train it again with edge-train"
        raise ConversionError(msg)
    return cell


def _npy(array: NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
