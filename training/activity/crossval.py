"""Out-of-fold answers: what networks and baselines say of people that they were not trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from training.activity import baselines
from training.activity.classes import CLASSES
from training.activity.dataset import Dataset, Session, Windows
from training.activity.fit import Settings, Trainer, logits

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """A data set at a placement: what is scored by itself.

    Attributes:
        source: data set.
        placement: `chest` or `wrist`.
    """

    source: str
    placement: str

    def __str__(self) -> str:
        return f"{self.source}, {self.placement}"

    def of(self, windows: Windows) -> NDArray[np.bool_]:
        """Which windows are of this part."""
        return np.asarray((windows.source == self.source) & (windows.placement == self.placement))


def parts(windows: Windows) -> list[Part]:
    """Every data set at every placement that it has."""
    return [Part(*pair) for pair in sorted(set(zip(windows.source.tolist(), windows.placement.tolist(), strict=True)))]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """Networks that have not seen some people.

    Attributes:
        people: left out.
        networks: one per seed.
    """

    people: frozenset[str]
    networks: list[keras.Model]

    def held(self, windows: Windows) -> NDArray[np.bool_]:
        """Which windows are of the people left out."""
        return np.isin(windows.group, sorted(self.people))


def train_folds(
    dataset: Dataset,
    people: list[frozenset[str]],
    trainer: Trainer,
    *,
    seeds: int,
    keep: Path,
    on_step: Callable[[str], None] = lambda _: None,
) -> list[Fold]:
    """Train a network per fold and seed.

    Args:
        dataset: to train on.
        people: to leave out, by fold.
        trainer: of the networks.
        seeds: how many networks per fold.
        keep: folder that keeps the networks: a run that was cut off goes on from them.
        on_step: called after each step with what is being trained.
    """
    found = []
    for number, left_out in enumerate(people, start=1):
        sessions = [s for s in dataset.sessions if s.group not in left_out]
        networks = []
        for seed in range(seeds):
            what = f"fold {number} of {len(people)}, seed {seed}"
            networks.append(kept(keep, trainer, sessions, seed, lambda what=what: on_step(what)))  # type: ignore[misc]
        found.append(Fold(left_out, networks))
    return found


def network_file(folder: Path, settings: Settings, sessions: Sequence[Session], seed: int) -> Path:
    """The file that keeps the network which training on these sessions gives: another training has another name."""
    digest = hashlib.sha256(f"{settings} {seed} {keras.version()} {tf.__version__}".encode())
    for session in sessions:
        digest.update(f"{session.group} {session.name} {session.placement} {session.label}".encode())
        digest.update(session.signal_mps2.tobytes())
    return folder / f"{digest.hexdigest()[:16]}.keras"


def kept(
    folder: Path, trainer: Trainer, sessions: Sequence[Session], seed: int, on_step: Callable[[], None] = lambda: None
) -> keras.Model:
    """The network that training on these sessions gives: from the folder if it is there, else trained and put there."""
    path = network_file(folder, trainer.settings, sessions, seed)
    if path.exists():
        return keras.models.load_model(path)
    network = trainer.train(sessions, seed, on_step)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{path.stem}.part.keras"
    network.save(part)
    part.replace(path)
    return network


def answers(folds: list[Fold], windows: Windows, seed: int) -> NDArray[np.float32]:
    """Logits of the networks of a seed for the windows of the people that each has not seen, (windows, classes)."""
    said = np.zeros((len(windows), len(CLASSES)), np.float32)
    for fold in folds:
        held = fold.held(windows)
        said[held] = logits(fold.networks[seed], windows.where(held))
    return said


@dataclass(frozen=True, slots=True, eq=False)
class Forests:
    """Forests of a part, one per fold.

    Attributes:
        part: data set and placement that they are trained on.
        people: left out, by fold.
        fitted: the forests.
    """

    part: Part
    people: list[frozenset[str]]
    fitted: list[RandomForestClassifier]

    def answers(self, windows: Windows) -> Labels:
        """Classes of windows of the part, each from the forest that has not seen the person."""
        said = np.zeros(len(windows), np.int64)
        for people, forest in zip(self.people, self.fitted, strict=True):
            held = np.isin(windows.group, sorted(people))
            if held.any():
                said[held] = forest.predict(baselines.features(windows.acceleration_mps2[held]))
        return said


def fit_forests(windows: Windows, part: Part, people: list[frozenset[str]]) -> Forests:
    """Fit a forest per fold, on its own data set alone: it does better so than on both."""
    mine = windows.where(part.of(windows))
    concerned = [fold for fold in people if np.isin(mine.group, sorted(fold)).any()]
    fitted = [baselines.forest(mine.where(~np.isin(mine.group, sorted(fold))), seed=0) for fold in concerned]
    return Forests(part, concerned, fitted)


def majority_answers(windows: Windows, people: list[frozenset[str]]) -> Labels:
    """The most frequent class among the others, for windows of one part."""
    said = np.zeros(len(windows), np.int64)
    for held in _held(windows, people):
        said[held] = baselines.majority(windows.where(~held), windows.where(held))
    return said


def _held(windows: Windows, people: list[frozenset[str]]) -> Iterator[NDArray[np.bool_]]:
    for fold in people:
        held = np.isin(windows.group, sorted(fold))
        if held.any():
            yield held
