"""Made-up windows that a model is compared on and its integers are fitted to: nobody's movement has to be shipped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings.acceleration import PLACEMENTS
from edge_agent.signals.acceleration import RATE_HZ, WINDOW_SAMPLES, view
from training.activity.augment import rotations

_SEED = 0
# From lying still to jumping: standard deviation of the movement in m/s², and its rhythm.
_STRENGTH_MPS2 = (0.02, 14.0)
_RHYTHM_HZ = (0.3, 3.5)
_HARMONICS = 6
_HARDEST = 0.6  # share of irregular movement at most


def golden_windows(count: int) -> NDArray[np.float32]:
    """Windows of rhythmic movement of every strength, pace and regularity, in turn from chest and wrist.

    Args:
        count: how many.

    Returns:
        float32 (windows, samples, channels).
    """
    rng = np.random.default_rng(_SEED)
    strength, rhythm_hz = (
        np.exp(rng.uniform(np.log(low), np.log(high), count)) for low, high in (_STRENGTH_MPS2, _RHYTHM_HZ)
    )
    t_s = np.arange(WINDOW_SAMPLES) / RATE_HZ
    harmonic = np.arange(1, _HARMONICS + 1)
    # (windows, harmonics, axes): what falls off towards the higher ones, more or less steeply.
    size = rng.normal(size=(count, _HARMONICS, 3)) / harmonic[None, :, None] ** rng.uniform(0.5, 2, (count, 1, 3))
    angle = 2 * np.pi * rhythm_hz[:, None, None] * harmonic[:, None] * t_s
    wave = np.cos(angle + rng.uniform(0, 2 * np.pi, (count, _HARMONICS, 1)))
    regular = np.einsum("wht,whc->wtc", wave, size)
    irregular = rng.normal(size=(count, WINDOW_SAMPLES, 3))
    irregular[:, 1:] += irregular[:, :-1]
    share = rng.uniform(0, _HARDEST, (count, 1, 1))
    moved = (1 - share) * _unit(regular) + share * _unit(irregular)
    x = strength[:, None, None] * moved + np.array([0, 0, 9.81])
    turned = np.einsum("wtc,wdc->wtd", x, rotations(rng, count)).astype(np.float32)
    return view(turned, np.array([PLACEMENTS[i % len(PLACEMENTS)] for i in range(count)]))


def _unit(movement: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(movement / movement.std(axis=(1, 2), keepdims=True))
