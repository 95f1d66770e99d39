"""What the network has to beat: the most frequent class, and a random forest on time and frequency features."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from edge_agent.signals.acceleration import RATE_HZ
from training.activity.classes import CLASSES
from training.activity.dataset import Windows

_TREES = 60
_BANDS_HZ = (0.3, 1.0, 2.0, 3.0, 4.5, 7.0, 12.5)
_TINY = 1e-6


def majority(train: Windows, scored: Windows) -> NDArray[np.int64]:
    """The class with the most training windows, whatever is seen."""
    return np.full(len(scored), np.bincount(train.label, minlength=len(CLASSES)).argmax())


def features(acceleration_mps2: NDArray[np.float32]) -> NDArray[np.float64]:
    """Time and frequency features of windows, the ones of the literature: float64 (windows, features).

    Per axis and of the magnitude: mean, spread, extremes, quartiles, roughness, skewness, kurtosis; of the spectrum its
    peak, centroid, entropy and energy in six bands; and the correlation of every two of them.
    """
    series = [acceleration_mps2[:, :, axis].astype(np.float64) for axis in range(3)]
    series.append(np.linalg.norm(acceleration_mps2, axis=2).astype(np.float64))
    found = [column for values in series for column in (*_in_time(values), *_in_frequency(values))]
    standard = [_standard(values) for values in series]
    found += [(standard[i] * standard[j]).mean(axis=1) for i in range(len(series)) for j in range(i)]
    return np.stack(found, axis=1)


def forest(train: Windows, seed: int) -> RandomForestClassifier:
    """A forest fitted to windows, with classes weighted by their rarity."""
    model = RandomForestClassifier(
        _TREES, class_weight="balanced_subsample", min_samples_leaf=2, n_jobs=-1, random_state=seed
    )
    return model.fit(features(train.acceleration_mps2), train.label)


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    moved = values - values.mean(axis=1, keepdims=True)
    return np.asarray(moved / (values.std(axis=1, keepdims=True) + _TINY))


def _in_time(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    standard = _standard(values)
    return [
        values.mean(axis=1),
        values.std(axis=1),
        values.min(axis=1),
        values.max(axis=1),
        *np.percentile(values, [25, 75], axis=1),
        np.abs(np.diff(values, axis=1)).mean(axis=1),
        (standard**3).mean(axis=1),
        (standard**4).mean(axis=1),
    ]


def _in_frequency(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    moved = values - values.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(moved * np.hanning(moved.shape[1]), axis=1)) ** 2
    hz = np.fft.rfftfreq(moved.shape[1], 1 / RATE_HZ)
    share = power / (power.sum(axis=1, keepdims=True) + _TINY)
    bands = [np.log(power[:, (hz >= low) & (hz < high)].sum(axis=1) + _TINY) for low, high in pairwise(_BANDS_HZ)]
    return [hz[power.argmax(axis=1)], share @ hz, -(share * np.log(share + _TINY)).sum(axis=1), *bands]
