from __future__ import annotations

import numpy as np
import pytest

from training.recovery.baselines import MeanFall, changes_bpm
from training.recovery.dataset import ORIGIN_S, Recovered
from training.recovery.fit import Batch, Settings, Trainer, predict

_SETTINGS = Settings(hidden=6, batch=32)


@pytest.fixture(scope="module")
def trained(recovered: list[Recovered]) -> tuple[Trainer, list[float]]:
    trainer = Trainer(_SETTINGS, seed=1)
    half = Batch.of(recovered[: len(recovered) // 2])
    return trainer, trainer.train([(half, 1.0)], steps=120, learning_rate=0.02)


def test_the_loss_falls(trained: tuple[Trainer, list[float]]) -> None:
    _, losses = trained
    assert np.mean(losses[-10:]) < 0.8 * np.mean(losses[:10])


def test_what_was_learned_beats_the_mean_fall_on_other_people(
    trained: tuple[Trainer, list[float]], recovered: list[Recovered]
) -> None:
    half = len(recovered) // 2
    others = recovered[half:]
    mean = MeanFall()
    mean.fit(recovered[:half])
    medians = predict(trained[0].cell, others)[:, ORIGIN_S - 1, :, 1]
    ours, theirs = (np.abs(p - changes_bpm(others)).mean() for p in (medians, mean.predict(others)))
    assert ours < theirs


def test_a_seed_gives_the_same_weights_again(recovered: list[Recovered]) -> None:
    weights = []
    for _ in range(2):
        trainer = Trainer(_SETTINGS, seed=4)
        trainer.train([(Batch.of(recovered), 1.0)], steps=3, learning_rate=0.01)
        weights.append(trainer.cell.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_second_start_forgets_the_first_and_training_leaves_the_recoveries_as_they_are(
    recovered: list[Recovered],
) -> None:
    trainer = Trainer(_SETTINGS, seed=2)
    fresh = trainer.cell.get_weights()
    batch = Batch.of(recovered)
    before = batch.x.copy()
    trainer.train([(batch, 0.5), (batch, 0.5)], steps=3, learning_rate=0.01)
    np.testing.assert_array_equal(batch.x, before)
    trainer.start_from(fresh)
    for a, b in zip(trainer.cell.get_weights(), fresh, strict=True):
        np.testing.assert_array_equal(a, b)
