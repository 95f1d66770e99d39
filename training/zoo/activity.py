"""What is being done, from five seconds of acceleration at the chest or a wrist."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.acceleration import CHANNELS, view
from training.activity.baselines import features, forest, majority
from training.activity.classes import CLASSES
from training.activity.dataset import Windows, load
from training.errors import TrainingError
from training.zoo.problem import Fold, MacroF1, Problem
from training.zoo.views import SEQUENCE, SPECTROGRAM, TEN_BY_TEN, spectrogram, ten_steps

# Of each person, placement and class: windows five seconds apart are nearly the same, and what was done for long shall
# not count for more.
WINDOWS_EACH = 40

_STEPS = 600

_FOLDS = 3
_VALIDATES = 5  # one person in five of those who are not scored
_FEWEST_PEOPLE = 4


def make(folder: Path) -> Problem:
    """The task on the recordings of a folder.

    Raises:
        TrainingError: there is no labelled acceleration, or of too few people.
    """
    windows = _thinned(load(folder).windows)
    sequence = view(windows.acceleration_mps2, windows.placement)
    movement = sequence[..., [i for i, name in enumerate(CHANNELS) if name.endswith("_mps2")]]
    target = windows.label
    one = np.eye(len(CLASSES), dtype=np.float32)

    def chosen(indices: NDArray[np.int64]) -> Windows:
        return windows.where(np.isin(np.arange(len(windows)), indices))

    def most_frequent(fold: Fold) -> NDArray[np.float32]:
        return np.asarray(one[majority(chosen(_fitted(fold)), chosen(fold.scored))], np.float32)

    def random_forest(fold: Fold) -> NDArray[np.float32]:
        fitted = forest(chosen(_fitted(fold)), 0)
        return np.asarray(one[fitted.predict(features(chosen(fold.scored).acceleration_mps2))], np.float32)

    return Problem(
        task="activity",
        title="which of nine activities, people left out in turn",
        inputs={
            SEQUENCE: sequence,
            TEN_BY_TEN: np.stack(
                [np.concatenate([s.mean(axis=1), s.std(axis=1)], axis=1) for s in ten_steps(movement)], axis=1
            ),
            SPECTROGRAM: spectrogram(sequence[..., CHANNELS.index("magnitude_mps2")]),
        },
        target=target,
        person=windows.group,
        folds=_folds(windows, folder),
        measure=MacroF1(CLASSES),
        baselines={"most frequent class": most_frequent, "random forest": random_forest},
        steps=_STEPS,
        windows={
            "window": f"{sequence.shape[1]} samples at 25 Hz in the {len(CHANNELS)} channels of the feature contract: "
            "movement, which no turn of the sensor changes, and where it is worn; chest and wrist together",
            "windows": f"at most {WINDOWS_EACH} of each person, placement and class, evenly spread",
            "target": f"one of {', '.join(CLASSES)}; trained for cross-entropy",
            TEN_BY_TEN: "mean and standard deviation of the five channels of movement in each tenth of the window",
            SPECTROGRAM: "of the magnitude; its sigmoids, one for each class, count as probabilities once they are "
            "divided by their sum",
        },
    )


def _fitted(fold: Fold) -> NDArray[np.int64]:
    return np.concatenate([fold.train, fold.validation])


def _thinned(windows: Windows) -> Windows:
    kept = np.zeros(len(windows), np.bool_)
    keys = np.stack([windows.group, windows.placement, windows.label.astype(np.str_)], axis=1)
    for key in np.unique(keys, axis=0):
        own = np.flatnonzero((keys == key).all(axis=1))
        kept[own[np.linspace(0, len(own) - 1, min(len(own), WINDOWS_EACH)).round().astype(int)]] = True
    return windows.where(kept)


def _folds(windows: Windows, folder: Path) -> list[Fold]:
    """Everybody is scored once; every source is in every list where it has people enough."""
    people = np.unique(windows.group)
    if len(people) < _FEWEST_PEOPLE:
        msg = f"{folder}: acceleration of {len(people)} people; give that of at least {_FEWEST_PEOPLE}"
        raise TrainingError(msg)
    folds = []
    for fold in range(min(_FOLDS, len(people))):
        out = people[fold::_FOLDS]
        rest = people[~np.isin(people, out)]
        validates = rest[::_VALIDATES]
        train = rest[~np.isin(rest, validates)]
        folds.append(Fold(*(np.flatnonzero(np.isin(windows.group, who)) for who in (train, validates, out))))
    return folds
