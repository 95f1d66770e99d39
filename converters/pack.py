"""From a trained model to a bundle: convert by every recipe, compare each result, keep what wins."""

from __future__ import annotations

import dataclasses
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.choose import BUDGETS_BYTES, FALLBACK, Winner, failing, winners
from converters.compare import Comparisons, Environments, compare
from converters.errors import ConversionError
from converters.recipes import RECIPES, Recipe
from converters.tasks import TASKS, Task
from converters.timings import TIMINGS, Timings
from converters.verify import Array, Comparison
from edge_agent import __version__
from edge_agent.inference.archive import sha256
from edge_agent.inference.bundle import (
    GOLDEN_INPUTS,
    GOLDEN_OUTPUTS,
    SCHEMA,
    Manifest,
    StreamingCell,
    Variant,
    write_bundle,
)
from training.manifest import CELL, TrainingManifest

# Every form is compared over so many made-up inputs: carried state over two hours.
SEQUENCE = 7200

# Another processor rounds differently: a device may be this many times as far off over the golden pairs as the machine
# that converted was over the whole sequence.
_MARGIN = 1.5
_FLOOR = 0.001  # float32 rounding over the golden pairs


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion came to.

    Attributes:
        trained: the model.
        comparisons: every form on every runtime.
        failed: recipe and runtime to the reason a form does not hold.
        winners: what each runtime is given, and why.
    """

    trained: TrainingManifest
    comparisons: Comparisons
    failed: dict[tuple[str, str], str]
    winners: list[Winner]


def convert(
    trained: TrainingManifest,
    folder: Path,
    environments: Environments,
    *,
    data: Path | None = None,
    recipes: Sequence[Recipe] = RECIPES,
    on_comparison: Callable[[Comparison], None] = lambda _: None,
) -> Conversion:
    """Convert and compare a model, and find the form that wins on each runtime.

    Args:
        trained: manifest in `folder`.
        folder: written by edge-train.
        environments: where each runtime is run, or why it cannot be.
        data: folder of recordings to score on; without it, the forms are compared on made-up inputs alone.
        recipes: to try.
        on_comparison: called with each comparison as it is made.

    Raises:
        ConversionError: the model cannot be read, or belongs to another contract.
        TrainingError: the recordings cannot be read.
    """
    task, interface = _task(trained, folder), trained.interface
    timings = Timings(folder / TIMINGS)
    comparisons = compare(
        folder / CELL,
        task.sequence(SEQUENCE),
        environments,
        state_size=interface.state_size if isinstance(interface, StreamingCell) else None,
        test_set=task.test_set(data) if data else None,
        recipes=recipes,
        on_comparison=on_comparison,
    )
    outputs = comparisons.forms.answers[0].shape[1:]
    if outputs != (interface.output_size,):
        msg = f"{folder / CELL}: outputs of shape {outputs} do not fit its manifest; train it again with edge-train"
        raise ConversionError(msg)
    made = [timings.of(c, comparisons.forms.models[c.recipe]) for c in comparisons.made]
    comparisons = dataclasses.replace(comparisons, made=made)
    failed = {
        (c.recipe, c.runtime): reason
        for c in comparisons.made
        if (reason := failing(c, interface, comparisons.float_scores))
    }
    held = [c for c in comparisons.made if (c.recipe, c.runtime) not in failed]
    return Conversion(trained, comparisons, failed, winners(held, BUDGETS_BYTES.get(trained.task, math.inf)))


def pack(conversion: Conversion, out: Path) -> Manifest:
    """Write the bundle of the forms that win: the same content gives the same bytes.

    Returns:
        The manifest of the bundle.

    Raises:
        ConversionError: no form holds on any runtime.
    """
    trained, comparisons = conversion.trained, conversion.comparisons
    if not conversion.winners:
        reasons = {**comparisons.refused, **conversion.failed}
        told = "; ".join(f"{recipe} on {runtime}: {reason}" for (recipe, runtime), reason in reasons.items())
        msg = f"no form of the {trained.task} model holds ({told}); train the model again"
        raise ConversionError(msg)
    models, variants = {}, []
    for recipe, on in _packed(conversion).items():
        model = comparisons.forms.models[recipe]
        worst = max(c.golden.largest for c in on)
        file = f"{recipe}.tflite"
        models[file] = model
        variants.append(
            Variant(recipe, file, sha256(model), tuple(c.runtime for c in on), worst, _MARGIN * worst + _FLOOR)
        )
    steps = TASKS[trained.task].golden
    golden = {
        GOLDEN_INPUTS: _npy(comparisons.inputs[:steps]),
        GOLDEN_OUTPUTS: _npy(comparisons.forms.answers[0][:steps]),
    }
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
    return manifest


def _packed(conversion: Conversion) -> dict[str, list[Comparison]]:
    """The forms that a bundle takes, in the device's order of preference, each with where it is to run."""
    forms: dict[str, list[Comparison]] = {}
    for winner in conversion.winners:
        forms.setdefault(winner.comparison.recipe, []).append(winner.comparison)
    forms.pop(FALLBACK, None)
    fallback = [
        c
        for c in conversion.comparisons.made
        if c.recipe == FALLBACK and (c.recipe, c.runtime) not in conversion.failed
    ]
    return {**forms, FALLBACK: fallback} if fallback else forms


def _task(trained: TrainingManifest, folder: Path) -> Task:
    task, interface = TASKS.get(trained.task), trained.interface
    inputs = interface.features if isinstance(interface, StreamingCell) else interface.channels
    if task is None or (interface.contract, inputs) != (task.contract, task.inputs):
        known = ", ".join(f"{name} on {t.contract}" for name, t in TASKS.items())
        msg = f"{folder}: {trained.task} on {interface.contract}, this version makes {known}; train it again"
        raise ConversionError(msg)
    return task


def _npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
