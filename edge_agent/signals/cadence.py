"""Repetitions per minute from a window of acceleration.

What repeats shows in the autocorrelation of the movement, summed over the axes so that no turn of the sensor matters,
and kept to the band of human repetitions. A repetition is what comes back: a stroke, a turn of the cranks; on foot, a
step.

An arm swings once for two steps, and the legs are not quite alike, so that often only the stride comes back. Each
activity on foot has its range of steps; what lies below is a stride, and counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.acceleration import RATE_HZ

# From a slow stroke of rowing (16 a minute) to running in small steps (240).
MIN_PER_MIN, MAX_PER_MIN = 16.0, 240.0

# Fewest steps per minute of each activity on foot: half of it is slower than anybody's strides.
_FEWEST_STEPS: Final[Mapping[str, float]] = {
    "walk": 70.0,
    "run": 115.0,
    "stairs": 50.0,
    "stepper_or_elliptical": 57.0,
}

_BAND_HZ = (0.25, 5.0)  # the fundamentals, and the first harmonic of all but the fastest
_FADE_HZ = 0.2  # width of the band's edges
# Of autocorrelation: what comes back less alike than this is no repetition, and a peak this close to the highest one
# is as good as it, so that the shortest such period is the one.
_RHYTHMIC = 0.45
_AS_GOOD = 0.75
_TINY = 1e-9


def cadence_per_min(acceleration_mps2: NDArray[np.float32], activity: str) -> float | None:
    """Repetitions per minute.

    Args:
        acceleration_mps2: a window at 25 Hz, in the axes of the sensor, float32 (samples, 3).
        activity: what is done in it; nothing repeats in `still`.

    Returns:
        The rate, or None where nothing repeats.
    """
    if activity == "still":
        return None
    lag = _period(_in_band(acceleration_mps2 - acceleration_mps2.mean(axis=0)))
    if lag is None:
        return None
    rate = 60 * RATE_HZ / lag
    return 2 * rate if rate < _FEWEST_STEPS.get(activity, 0) else rate


def _in_band(movement: NDArray[np.float32]) -> NDArray[np.float64]:
    hz = np.fft.rfftfreq(2 * len(movement), 1 / RATE_HZ)
    low, high = _BAND_HZ
    gain = np.clip((hz - low) / _FADE_HZ + 0.5, 0, 1) * np.clip((high - hz) / _FADE_HZ + 0.5, 0, 1)
    spectrum = np.fft.rfft(movement, 2 * len(movement), axis=0)
    return np.fft.irfft(spectrum * gain[:, None], axis=0)[: len(movement)]


def _period(x: NDArray[np.float64]) -> float | None:
    """Samples until the movement, (samples, 3), comes back; None where it does not."""
    n = len(x)
    longest = min(int(60 * RATE_HZ / MIN_PER_MIN), n - 2)
    shortest = int(60 * RATE_HZ / MAX_PER_MIN)
    x = x - x.mean(axis=0)
    power = (np.abs(np.fft.rfft(x, 2 * n, axis=0)) ** 2).sum(axis=1)
    products = np.fft.irfft(power)[: longest + 2]
    # Energy of the two overlapping parts at each lag: a peak of 1 is an exact return, at any lag.
    energy = np.cumsum((x**2).sum(axis=1))
    lags = np.arange(longest + 2)
    overlap = np.sqrt(energy[n - 1 - lags] * (energy[-1] - np.where(lags > 0, energy[lags - 1], 0)))
    alike = products / np.maximum(overlap, _TINY)
    inner = np.arange(shortest, longest + 1)
    peaks = inner[(alike[inner] >= alike[inner - 1]) & (alike[inner] > alike[inner + 1]) & (alike[inner] > _RHYTHMIC)]
    if not peaks.size:
        return None
    at = int(peaks[alike[peaks] >= _AS_GOOD * alike[peaks].max()][0])
    before, here, after = alike[at - 1 : at + 2]
    return float(at + (before - after) / (2 * (before - 2 * here + after)))  # the top of a parabola through the three
