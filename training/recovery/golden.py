"""Recoveries of simulated people, that a model is compared on: nobody's heart rate has to be shipped with a bundle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.recovery.dataset import recoveries
from training.simulator import simulate

_SEED = 1  # other people than those that are trained on


def golden_vectors(seconds: int) -> NDArray[np.float32]:
    """Features of one recovery after another, as if no state were ever zeroed.

    Args:
        seconds: how many of them.

    Returns:
        float32 (seconds, features).
    """
    random = np.random.default_rng(_SEED)
    parts: list[NDArray[np.float32]] = []
    while sum(map(len, parts)) < seconds:
        for recording in simulate(random, athletes=1):
            parts += [r.x[r.known] for r in recoveries(recording)]
    return np.concatenate(parts)[:seconds]
