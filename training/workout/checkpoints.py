"""Trained cells, kept as they come: a run that was cut off goes on where it stopped when it is started again."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.dataset import Session
from training.workout.fit import Epoch, Fitted, Settings
from training.workout.model import build_cell

FOLDER = "cells"

_Weights = Sequence[NDArray[np.float32]] | None


class Checkpoints:
    """One file for each cell, named after all that it was made from."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def kept_or(
        self,
        train: Sequence[Session],
        validation: Sequence[Session],
        *,
        seed: int,
        settings: Settings,
        initial_weights: _Weights,
        fit: Callable[[], Fitted],
    ) -> Fitted:
        """The cell of an earlier run, if it was of the same sessions, seed, settings and start; else a new one.

        Workers of a team keep nothing: one that finds a file would leave the others waiting.
        """
        if settings.team is not None:
            return fit()
        name = _digest(train, validation, seed, settings, initial_weights)
        path = self._folder / f"{name}.npz"
        if path.exists():
            return _load(path, seed, settings, train[0].x.shape[1])
        fitted = fit()
        self._folder.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        with scratch.open("wb") as file:
            np.savez(
                file,
                *fitted.cell.get_weights(),
                history=np.array([dataclasses.astuple(epoch) for epoch in fitted.history]),
                best_epoch=np.array(fitted.best_epoch),
            )
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        return fitted


def _digest(
    train: Sequence[Session], validation: Sequence[Session], seed: int, settings: Settings, initial_weights: _Weights
) -> str:
    digest = hashlib.sha256(f"{seed} {settings}".encode())
    for part in (train, validation):
        digest.update(f"{len(part)} sessions".encode())
        for session in part:
            for array in (session.x, session.change_bpm, session.restarted):
                digest.update(array.tobytes())
    for weight in initial_weights or ():
        digest.update(weight.tobytes())
    return digest.hexdigest()[:32]


def _load(path: Path, seed: int, settings: Settings, features: int) -> Fitted:
    with np.load(path, allow_pickle=False) as kept:
        cell = build_cell(features, settings.hidden)
        cell.set_weights([kept[f"arr_{i}"] for i in range(len(cell.get_weights()))])
        history = tuple(Epoch(*map(float, row)) for row in kept["history"])
        return Fitted(cell, seed, history, int(kept["best_epoch"]))
