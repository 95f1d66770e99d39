"""The activity model's forms on people left out: what quantising costs those that the network has never seen.

`edge-train activity` keeps the network of each group of people it leaves out. Each is converted and calibrated as what
ships is, and run on both runtimes over the windows of the people that it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
from numpy.typing import NDArray

from converters.compare import Environments
from converters.environments import Environment
from converters.errors import ConversionError
from converters.flatbuffer import lacking
from converters.forms import make_forms
from converters.measure import measure
from converters.pack import SEQUENCE
from converters.recipes import RECIPES, Recipe
from edge_agent.signals.acceleration import view
from training.activity.classes import CLASSES
from training.activity.crossval import network_file, parts
from training.activity.dataset import Dataset, Windows
from training.activity.fit import Settings, logits
from training.activity.folds import folds
from training.activity.golden import golden_windows
from training.activity.model import build
from training.activity.scores import macro_f1
from training.tables import table

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Unseen:
    """A form on a runtime, on the people of one part that its network has not seen.

    Attributes:
        recipe: of the form.
        runtime: that it ran on.
        part: data set and placement.
        windows: scored.
        float_f1: macro-F1 of the float networks.
        form_f1: of the form.
        agreement: share of windows in which both say the same class.
    """

    recipe: str
    runtime: str
    part: str
    windows: int
    float_f1: float
    form_f1: float
    agreement: float


def unseen(
    networks: Path,
    dataset: Dataset,
    environments: Environments,
    *,
    settings: Settings,
    recipes: Sequence[Recipe] = RECIPES,
    on_fold: Callable[[str], None] = lambda _: None,
) -> list[Unseen]:
    """Convert the networks of the first seed and score every form on the people left out.

    Args:
        networks: folder that edge-train keeps them in.
        dataset: that they were trained on.
        environments: where each runtime is run, or why it cannot be.
        settings: that they were trained with.
        recipes: to convert by.
        on_fold: called with what was converted.

    Raises:
        ConversionError: a network is missing.
        TrainingError: there are too few people.
    """
    windows, people = dataset.windows, folds(dataset.sessions)
    said = np.zeros((len(windows), len(CLASSES)), np.float32)
    by_form: dict[tuple[str, str], Logits] = {}
    for number, left_out in enumerate(people, start=1):
        sessions = [s for s in dataset.sessions if s.group not in left_out]
        held = np.isin(windows.group, sorted(left_out))
        network = _network(network_file(networks, settings, sessions, seed=0))
        said[held] = logits(network, windows.where(held))
        for form, answers in _answers(network, windows.where(held), environments, recipes).items():
            by_form.setdefault(form, np.full_like(said, np.nan))[held] = answers
        on_fold(f"people left out, {number} of {len(people)}")
    scored = []
    for part in parts(windows):
        mine = part.of(windows)
        for form, answers in by_form.items():
            scored.append(_scored(form, str(part), windows.label[mine], said[mine], answers[mine]))
    return scored


def _network(file: Path) -> keras.Model:
    if not file.exists():
        msg = (
            f"{file}: no such network; train with edge-train activity on the same data first, and name the folder "
            "`networks` in what it wrote"
        )
        raise ConversionError(msg)
    return keras.models.load_model(file)


def _answers(
    network: keras.Model, windows: Windows, environments: Environments, recipes: Sequence[Recipe]
) -> dict[tuple[str, str], Logits]:
    """What every form of a network says to windows on each runtime that runs it, by recipe and runtime."""
    one_at_a_time = build(batch=1)
    one_at_a_time.set_weights(network.get_weights())
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        one_at_a_time.save(file)
        forms = make_forms(file, recipes, calibration=golden_windows(SEQUENCE))
    x = view(windows.acceleration_mps2, windows.placement)
    found = {}
    for recipe, model in forms.models.items():
        for runtime, environment in environments.items():
            if isinstance(environment, Environment) and not lacking(model, runtime):
                found[recipe, runtime] = measure(model, environment, [x]).answers[0]
    return found


def _scored(form: tuple[str, str], part: str, label: NDArray[np.int64], said: Logits, answers: Logits) -> Unseen:
    as_float, as_form = said.argmax(axis=1), answers.argmax(axis=1)
    return Unseen(
        *form,
        part,
        len(label),
        macro_f1(label, as_float),
        macro_f1(label, as_form),
        float((as_float == as_form).mean()),
    )


def page(found: Sequence[Unseen], environments: Environments) -> str:
    """The page of what was found, in Markdown."""
    rows = [
        [
            f"`{u.recipe}`",
            u.runtime,
            u.part,
            str(u.windows),
            f"{u.float_f1:.4f}",
            f"{u.form_f1:.4f}",
            f"{round(100 * (u.float_f1 - u.form_f1), 2) + 0.0:+.2f}",
            f"{u.agreement:.4f}",
        ]
        for u in found
    ]
    head = ["recipe", "runtime", "part", "windows", "macro-F1, float", "macro-F1, form", "points lost", "same class"]
    versions = "; ".join(e.versions for e in environments.values() if isinstance(e, Environment))
    return (
        "# The activity model's forms on people left out\n\n"
        "Written by `edge-convert unseen`. What ships was trained on everybody, so what it loses by quantising is "
        "measured here on the networks of the people left out, first seed: each was converted and calibrated as what "
        "ships is, and answered the windows of the people it has never seen. A point is a hundredth of macro-F1; "
        f"{versions}.\n\n" + table(head, rows, text_columns=3) + "\n"
    )
