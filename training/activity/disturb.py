"""The same windows from a sensor that is turned, or of another make."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.acceleration import WINDOW_SAMPLES

Acceleration = NDArray[np.float32]

AXES = "xyz"
ANGLES_DEG = tuple(range(0, 360, 45))

_G_MPS2 = 9.81


def turned(acceleration_mps2: Acceleration, axis: str, angle_deg: float) -> Acceleration:
    """Windows, float32 (..., 3), of a sensor turned about one of its own axes.

    Limbs and straps lie along an axis of the sensor, and which one differs between makes; so all three are tried.
    """
    angle = np.deg2rad(angle_deg)
    first, second = (i for i in range(3) if i != AXES.index(axis))
    matrix = np.eye(3)
    matrix[[first, first, second, second], [first, second, first, second]] = [
        np.cos(angle),
        -np.sin(angle),
        np.sin(angle),
        np.cos(angle),
    ]
    return np.asarray(acceleration_mps2 @ matrix.T, np.float32)


def _clipped(x: Acceleration) -> Acceleration:
    return np.clip(x, -2 * _G_MPS2, 2 * _G_MPS2)


def _miscalibrated(x: Acceleration) -> Acceleration:
    gain, offset = np.array([1.05, 0.95, 1.03], np.float32), np.array([0.4, -0.3, 0.3], np.float32)
    return np.asarray(x * gain + offset, np.float32)


def _noisy(x: Acceleration) -> Acceleration:
    return np.asarray(x + np.random.default_rng(0).normal(0, 0.3, x.shape), np.float32)


def _coarse(x: Acceleration) -> Acceleration:
    step = 16 * 2 * _G_MPS2 / 2**10  # ten bits over +-16 g, 0.3 m/s²
    return np.asarray(np.round(x / step) * step, np.float32)


def _fast_clock(x: Acceleration) -> Acceleration:
    at = np.arange(WINDOW_SAMPLES) * 0.97
    before = np.minimum(at.astype(np.int64), WINDOW_SAMPLES - 2)
    rest = (at - before)[None, :, None].astype(np.float32)
    return np.asarray(x[:, before] * (1 - rest) + x[:, before + 1] * rest, np.float32)


def _mirrored(x: Acceleration) -> Acceleration:
    return x * np.array([-1, 1, 1], np.float32)


DISTURBANCES: Mapping[str, Callable[[Acceleration], Acceleration]] = {
    "as recorded": lambda x: x,
    "worn on the other side (mirrored)": _mirrored,
    "range of ±2 g": _clipped,
    "gains 5 % and offsets .4 m/s² off": _miscalibrated,
    "noise of .3 m/s²": _noisy,
    "10 bits over ±16 g": _coarse,
    "clock 3 % off": _fast_clock,
    "all of them": lambda x: _mirrored(_coarse(_noisy(_clipped(_miscalibrated(_fast_clock(x)))))),
}
