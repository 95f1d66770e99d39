"""Trains on made-up athletes first, whose heart rate answers to load as physiology says."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from training.dataset import make_session
from training.simulator import simulate
from training.workout.fit import Settings, fit

# A third of the passes, over twice as many sessions side by side: what is made up need not be learned to the last bit.
_SHORTER = 3
_WIDER = 2
_VALIDATE = 15  # one athlete in so many


def pretrain(athletes: int, *, seed: int, settings: Settings) -> list[NDArray[np.float32]]:
    """Train a cell on made-up athletes, a session of each.

    Args:
        athletes: how many.
        seed: of the athletes and of the training.
        settings: how the training on recordings is going to be.

    Returns:
        The weights, for `fit` to go on from.
    """
    made = (make_session(recording) for recording in simulate(np.random.default_rng(seed), athletes=athletes))
    sessions = [session for session in made if session.scored.any()]  # not those whose sensor reports each 10 s
    shorter = dataclasses.replace(
        settings, epochs=max(settings.epochs // _SHORTER, 1), streams=_WIDER * settings.streams
    )
    fitted = fit(
        [s for i, s in enumerate(sessions) if i % _VALIDATE],
        sessions[::_VALIDATE],
        seed=seed,
        settings=shorter,
    )
    weights: list[NDArray[np.float32]] = fitted.cell.get_weights()
    return weights
