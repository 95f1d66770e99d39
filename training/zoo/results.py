"""What a comparison measured."""

from __future__ import annotations

from pathlib import Path

import msgspec

from training.errors import TrainingError


class Timing(msgspec.Struct, frozen=True):
    """Time of one answer in microseconds, tensors in and out included.

    Attributes:
        us: median of several rounds.
        us_low: of the fastest round.
        us_high: of the slowest round.
    """

    us: float
    us_low: float
    us_high: float


class Form(msgspec.Struct, frozen=True):
    """An architecture converted by one recipe.

    Attributes:
        recipe: its name.
        model_bytes: size of the TFLite model; None where it was refused.
        took: by runtime.
        refused: runtime, or `any` for the conversion itself, to the reason in one sentence.
    """

    recipe: str
    model_bytes: int | None
    took: dict[str, Timing]
    refused: dict[str, str]


class Entry(msgspec.Struct, frozen=True):
    """One architecture, or a baseline, on the scored windows of all folds.

    Attributes:
        name: of it.
        figures: by name of the measure; the mean over seeds.
        low: lower ends of their 95 % intervals over people.
        high: upper ends.
        sd: standard deviation over seeds, by figure; empty without several seeds.
        view: the form of the window it was fed with; empty for a baseline.
        parameters: trained numbers.
        macs: multiply-accumulates of one answer.
        steps: of training, the mean over folds and seeds.
        forms: one for each recipe.
    """

    name: str
    figures: list[float]
    low: list[float]
    high: list[float]
    sd: list[float] = []
    view: str = ""
    parameters: int = 0
    macs: int = 0
    steps: float = 0.0
    forms: list[Form] = []


class Comparison(msgspec.Struct, frozen=True):
    """All architectures on one task.

    Attributes:
        task: its name.
        title: what is asked.
        figures: names of the figures.
        unit: of the figures.
        ascending: whether smaller is better.
        people: who are scored.
        windows_scored: how many.
        notes: what a window is, how each view is made of it, and what the budget was, each with its name.
        baselines: what has to be beaten.
        architectures: in the order of the registry.
        environment: machine and versions.
    """

    task: str
    title: str
    figures: list[str]
    unit: str
    ascending: bool
    people: int
    windows_scored: int
    notes: dict[str, str]
    baselines: list[Entry]
    architectures: list[Entry]
    environment: dict[str, str]


def file_of(folder: Path, task: str) -> Path:
    """Where the comparison of a task is kept."""
    return folder / f"zoo-{task}.json"


def read_all(folder: Path) -> list[Comparison]:
    """The comparisons that were written to a folder, in order of their task.

    Raises:
        TrainingError: one is damaged or of another version.
    """
    found = []
    for path in sorted(folder.glob("zoo-*.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Comparison))
        except msgspec.MsgspecError as error:
            msg = f"{path}: not a comparison of this version ({error}); remove it, or compare that task again"
            raise TrainingError(msg) from error
    return found
