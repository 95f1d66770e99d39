"""Training windows, drawn anew for every step: other people, other vigour, other sensors.

What differs between people is changed in the movement: its pace and its strength. What differs between sensors is
changed in the axes of a sensor that is turned at random: gain, offset, range, noise and dropouts. The order matters:
only a turned sensor clips where another one would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings import wisdm as wisdm_reader
from edge_agent.signals.acceleration import RATE_HZ, WINDOW_SAMPLES
from training.activity.classes import CLASSES
from training.activity.dataset import Session

_G_MPS2 = 9.81
# Ranges that sensors are set to, in g, and how often: sports sensors clip seldom, watches often.
_RANGES_G = np.array([2.0, 3.0, 4.0, 8.0, 16.0])
_RANGES_SHARE = np.array([0.15, 0.1, 0.15, 0.2, 0.4])
_NOISE_MPS2 = (0.01, 0.3)  # from a good sensor to a poor one on a loose strap


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far windows are changed.

    Attributes:
        pace: largest change of pace, as a logarithm: .2 is from 18 % slower to 22 % faster.
        vigour: standard deviation of the logarithm of the movement's strength.
        gain: standard deviation of each axis' gain.
        offset_mps2: standard deviation of each axis' offset.
        spliced: share of windows whose second part comes from elsewhere in the session, as where somebody turns.
        dropped: share of windows with a dropout, bridged as recordings bridge it.
        smoothed: share of windows with a sensor that is slower to follow.
    """

    pace: float = 0.2
    vigour: float = 0.2
    gain: float = 0.03
    offset_mps2: float = 0.2
    spliced: float = 0.15
    dropped: float = 0.25
    smoothed: float = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Augmented windows.

    Attributes:
        acceleration_mps2: float32 (windows, 125, 3).
        label: int64 (windows,).
        placement: `chest` or `wrist`, (windows,).
    """

    acceleration_mps2: NDArray[np.float32]
    label: NDArray[np.int64]
    placement: NDArray[np.str_]


class Sampler:
    """Draws windows from sessions: every placement, class and data set in a fixed share, whatever its size."""

    def __init__(self, sessions: Sequence[Session], augmentation: Augmentation, *, wrist: float, wisdm: float) -> None:
        """Prepare to draw.

        Args:
            sessions: to draw from.
            augmentation: how far to change what is drawn.
            wrist: share of windows from the wrist, where there is a choice.
            wisdm: share of WISDM among a class's windows from the wrist, where there is a choice.
        """
        self._augmentation = augmentation
        self._signal = np.concatenate([s.signal_mps2 for s in sessions])
        self._length = np.array([len(s.signal_mps2) for s in sessions])
        self._start = np.concatenate([[0], np.cumsum(self._length)[:-1]])
        self._label = np.array([s.label for s in sessions])
        self._placement = np.array([s.placement for s in sessions])
        self._share = _shares(sessions, self._length, wrist=wrist, wisdm=wisdm)

    def draw(self, rng: np.random.Generator, count: int) -> Drawn:
        """Draw so many windows."""
        which = rng.choice(len(self._share), count, p=self._share)
        x = _sensed(rng, self._moved(rng, which), self._augmentation)
        return Drawn(x, self._label[which], self._placement[which])

    def _moved(self, rng: np.random.Generator, which: NDArray[np.int64]) -> NDArray[np.float32]:
        """Windows of these sessions from anywhere in them, at another pace and strength."""
        how, count = self._augmentation, len(which)
        pace = np.exp(rng.uniform(-how.pace, how.pace, count))
        needed = np.ceil((WINDOW_SAMPLES - 1) * pace).astype(np.int64) + 2
        room = np.maximum(self._length[which] - needed, 1)
        position = np.arange(WINDOW_SAMPLES) * pace[:, None]
        first, second = (self._start[which] + (rng.random(count) * room).astype(np.int64) for _ in range(2))
        seam = np.where(rng.random(count) < how.spliced, rng.integers(1, WINDOW_SAMPLES, count), WINDOW_SAMPLES)
        start = np.where(np.arange(WINDOW_SAMPLES) < seam[:, None], first[:, None], second[:, None])
        at = np.minimum(start + position, len(self._signal) - 2)
        before = at.astype(np.int64)
        rest = (at - before)[:, :, None].astype(np.float32)
        x = self._signal[before] * (1 - rest) + self._signal[before + 1] * rest
        gravity = x.mean(axis=1, keepdims=True)
        vigour = np.exp(rng.normal(0, how.vigour, (count, 1, 1))).astype(np.float32)
        return np.asarray(gravity + vigour * (x - gravity), np.float32)


def _shares(
    sessions: Sequence[Session], length: NDArray[np.int64], *, wrist: float, wisdm: float
) -> NDArray[np.float64]:
    """How often each session is drawn."""
    placement = np.array([s.placement for s in sessions])
    label = np.array([s.label for s in sessions])
    watch = np.array([s.source == wisdm_reader.SOURCE for s in sessions])
    share = np.zeros(len(sessions))
    for where, part in (("wrist", wrist), ("chest", 1 - wrist)):
        for index in range(len(CLASSES)):
            mine = (placement == where) & (label == index)
            for among, portion in ((mine & watch, wisdm), (mine & ~watch, 1 - wisdm)):
                if among.any():
                    alone = not (mine & ~among).any()
                    share[among] = part * (1 if alone else portion) * length[among] / length[among].sum()
    return np.asarray(share / share.sum())


def rotations(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Turns of a sensor, uniform over all of them, half of them mirrored as left is to right: float32 (count, 3, 3)."""
    q = rng.normal(size=(count, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    matrix = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    mirrored = np.where(rng.random(count) < 0.5, -1.0, 1.0)  # noqa: PLR2004 - a half
    return np.asarray((matrix * mirrored).transpose(2, 0, 1), np.float32)


def _sensed(rng: np.random.Generator, x: NDArray[np.float32], how: Augmentation) -> NDArray[np.float32]:
    """Windows as some other sensor would give them, in its own axes."""
    count = len(x)
    x = np.einsum("wtc,wdc->wtd", x, rotations(rng, count))
    x *= (1 + rng.normal(0, how.gain, (count, 1, 3))).astype(np.float32)
    x += rng.normal(0, how.offset_mps2, (count, 1, 3)).astype(np.float32)
    limit = _G_MPS2 * rng.choice(_RANGES_G, (count, 1, 1), p=_RANGES_SHARE).astype(np.float32)
    x = np.clip(x, -limit, limit)
    low, high = np.log(_NOISE_MPS2)
    noise = np.exp(rng.uniform(low, high, (count, 1, 1))).astype(np.float32)
    x += noise * rng.standard_normal(x.shape, np.float32)
    slow = rng.random(count) < how.smoothed
    padded = np.pad(x[slow], ((0, 0), (1, 1), (0, 0)), mode="edge")
    x[slow] = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    for window in np.flatnonzero(rng.random(count) < how.dropped):
        lost = int(rng.integers(RATE_HZ // 5, RATE_HZ + 1))
        start = int(rng.integers(lost, WINDOW_SAMPLES - lost + 1))
        x[window, start : start + lost] = x[window, start - lost : start][::-1]
    return np.asarray(x, np.float32)
