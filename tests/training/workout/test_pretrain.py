from __future__ import annotations

import numpy as np

from edge_agent.recordings.recording import Recording
from training.dataset import make_session
from training.workout.fit import Settings, fit
from training.workout.pretrain import pretrain


def test_what_made_up_athletes_teach_is_a_better_start_than_chance(recordings: list[Recording]) -> None:
    settings = Settings(hidden=6, epochs=12, streams=2, chunk_s=60)
    weights = pretrain(6, seed=1, settings=settings)
    sessions = [make_session(r) for r in recordings[:6]]
    once = Settings(hidden=6, epochs=1, streams=4, chunk_s=60, learning_rate=1e-5)
    begun, chance = (
        fit(sessions[:4], sessions[4:], seed=1, settings=once, initial_weights=start).validation_loss
        for start in (weights, None)
    )
    assert begun < chance
    assert all(np.isfinite(w).all() for w in weights)
