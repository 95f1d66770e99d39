"""What architectures are compared on: windows, what came of them, and who is trained on and who is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from training.activity.scores import macro_f1_of
from training.zoo.architectures import Head


class Measure(Protocol):
    """How outputs are scored."""

    @property
    def loss(self) -> str:
        """Name of the Keras loss that training minimises."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the figures."""

    @property
    def unit(self) -> str:
        """Of the figures; empty where they have none."""

    @property
    def ascending(self) -> bool:
        """Whether the smallest figure is the best."""

    def head(self) -> Head:
        """The last layer that the task gives to every architecture."""

    def tallies(self, target: NDArray[np.generic], output: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each window adds to the figures, (windows, ...); sums of it make figures."""

    def figures(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The figures, (..., figures), of sums of tallies, (..., *shape of a tally)."""


@dataclass(frozen=True, slots=True)
class AbsoluteError:
    """Mean absolute error in bpm of a change, by horizon.

    Attributes:
        horizons_s: seconds ahead.
        scale_bpm: what a change at each horizon is divided by to make the target.
    """

    horizons_s: tuple[int, ...]
    scale_bpm: tuple[float, ...]
    loss: str = "mean_absolute_error"
    unit: str = "bpm"
    ascending: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """One figure for each horizon."""
        return tuple(f"{h} s" for h in self.horizons_s)

    def head(self) -> Head:
        """A change for each horizon."""
        return Head(len(self.horizons_s), "linear")

    def tallies(self, target: NDArray[np.generic], output: NDArray[np.float32]) -> NDArray[np.float64]:
        """Absolute error and one, (windows, horizons, 2)."""
        error_bpm = np.abs(np.asarray(target, np.float64) - output) * np.array(self.scale_bpm)
        return np.stack([error_bpm, np.ones_like(error_bpm)], axis=-1)

    def figures(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means, (..., horizons)."""
        return np.asarray(sums[..., 0] / np.maximum(sums[..., 1], 1e-9))


@dataclass(frozen=True, slots=True)
class MacroF1:
    """The mean of F1 over the classes that were done.

    Attributes:
        classes: names in order of their index.
    """

    classes: tuple[str, ...]
    loss: str = "sparse_categorical_crossentropy"
    names: tuple[str, ...] = ("macro-F1",)
    unit: str = ""
    ascending: bool = False

    def head(self) -> Head:
        """A probability for each class."""
        return Head(len(self.classes), "softmax")

    def tallies(self, target: NDArray[np.generic], output: NDArray[np.float32]) -> NDArray[np.float64]:
        """A confusion matrix with a single one, (windows, true class, answered class)."""
        one = np.eye(len(self.classes))
        return np.asarray(one[np.asarray(target, int)][:, :, None] * one[output.argmax(axis=1)][:, None, :])

    def figures(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Macro-F1, (..., 1)."""
        return macro_f1_of(sums)[..., None]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Indices of windows by the use that is made of them; nobody who is scored is in another list.

    Attributes:
        train: the weights are fitted to these.
        validation: these choose the epoch.
        scored: these are scored once, at the end.
    """

    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    scored: NDArray[np.int64]


# Fits itself to the training and validation windows of a fold and answers to the scored ones, (windows, outputs).
Baseline = Callable[[Fold], NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """One task, ready to be learned.

    Attributes:
        task: its name.
        title: what is asked, in a few words.
        inputs: the windows in each view, all of the same length.
        target: float32 (windows, outputs) or int64 (windows,).
        person: who each window is of, (windows,).
        folds: everybody who is scored is in the scored list of one of them.
        measure: how outputs are scored.
        baselines: name to what has to be beaten.
        steps: of one training at most; fewer where there are more folds.
        windows: what a window is, how each view is made of it and what it was chosen by, each with its name.
    """

    task: str
    title: str
    inputs: Mapping[str, NDArray[np.float32]]
    target: NDArray[np.generic]
    person: NDArray[np.str_]
    folds: Sequence[Fold]
    measure: Measure
    baselines: Mapping[str, Baseline]
    steps: int
    windows: Mapping[str, str]
