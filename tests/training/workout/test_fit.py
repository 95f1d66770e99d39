from __future__ import annotations

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from training.dataset import make_session
from training.scores import mae_bpm
from training.workout.fit import Fitted, Judge, Settings, fit

_SETTINGS = Settings(hidden=8, epochs=12, streams=2, chunk_s=60, learning_rate=0.01)


@pytest.fixture(scope="module")
def twice(recordings: list[Recording]) -> list[Fitted]:
    sessions = [make_session(r) for r in recordings]
    return [fit(sessions[:14], sessions[14:16], seed=3, settings=_SETTINGS) for _ in range(2)]


def test_the_loss_falls(twice: list[Fitted]) -> None:
    first, *_, last = twice[0].history
    assert last.train_loss < 0.7 * first.train_loss
    assert twice[0].validation_loss < 0.85 * first.validation_loss
    assert twice[0].validation_loss == min(epoch.validation_loss for epoch in twice[0].history)


def test_a_seed_gives_the_same_weights_again(twice: list[Fitted]) -> None:
    for a, b in zip(*(fitted.cell.get_weights() for fitted in twice), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_was_learned_beats_persistence_on_other_sessions(twice: list[Fitted], recordings: list[Recording]) -> None:
    held_out = [make_session(r) for r in recordings[16:]]
    medians = [q[:, 1::3] for q in Judge(held_out).predict(twice[0].cell)]
    ours = mae_bpm(held_out, medians)
    persistence = mae_bpm(held_out, [np.zeros_like(s.change_bpm) for s in held_out])
    assert ours[0] < 0.8 * persistence[0]


def test_the_kept_weights_are_those_that_were_judged_best(twice: list[Fitted], recordings: list[Recording]) -> None:
    validation = [make_session(r) for r in recordings[14:16]]
    assert Judge(validation).loss(twice[0].cell) == pytest.approx(twice[0].validation_loss, rel=1e-4)
