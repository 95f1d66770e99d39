"""What was trained is not trained again, and nothing else is taken for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from training.dataset import Session, make_session
from training.workout.checkpoints import Checkpoints
from training.workout.fit import Epoch, Fitted, Settings
from training.workout.model import build_cell

SETTINGS = Settings(hidden=4, epochs=2, streams=2, chunk_s=60)


@pytest.fixture(scope="module")
def sessions(recordings: list[Recording]) -> list[Session]:
    return [make_session(r) for r in recordings[:3]]


def train(
    folder: Path, sessions: list[Session], *, seed: int = 0, settings: Settings = SETTINGS
) -> tuple[Fitted, bool]:
    """The cell, and whether it had to be trained."""
    calls: list[int] = []

    def new() -> Fitted:
        calls.append(1)
        keras.utils.set_random_seed(len(calls) + seed)
        cell = build_cell(sessions[0].x.shape[1], settings.hidden)
        return Fitted(cell, seed, (Epoch(0.9, 0.8), Epoch(0.8, 0.7), Epoch(0.7, 0.75)), 1)

    made = Checkpoints(folder).kept_or(
        sessions[:2], sessions[2:], seed=seed, settings=settings, initial_weights=None, fit=new
    )
    return made, bool(calls)


def test_a_run_that_is_started_again_goes_on_where_it_stopped(tmp_path: Path, sessions: list[Session]) -> None:
    first, trained = train(tmp_path, sessions)
    assert trained
    again, trained = train(tmp_path, sessions)
    assert not trained
    for one, other in zip(first.cell.get_weights(), again.cell.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.history == first.history
    assert (again.seed, again.best_epoch, again.validation_loss) == (0, first.best_epoch, first.validation_loss)


def test_another_seed_other_settings_or_other_data_are_trained(tmp_path: Path, sessions: list[Session]) -> None:
    train(tmp_path, sessions)
    assert train(tmp_path, sessions, seed=1)[1]
    assert train(tmp_path, sessions, settings=dataclasses.replace(SETTINGS, learning_rate=1e-3))[1]
    assert train(tmp_path, [sessions[1], sessions[0], sessions[2]])[1]
    x = sessions[2].x.copy()
    x[5, 1] += 1.0
    assert train(tmp_path, [*sessions[:2], dataclasses.replace(sessions[2], x=x)])[1]


def test_what_was_cut_off_while_it_was_written_is_trained_again(tmp_path: Path, sessions: list[Session]) -> None:
    train(tmp_path, sessions)
    (file,) = tmp_path.iterdir()
    file.rename(file.with_suffix(".new"))
    assert train(tmp_path, sessions)[1]
