"""What bends: terms made of the features of one second, so that a linear head can follow a curve.

A heart answers differently at 90 and at 170 bpm, in a session's second minute and in its second hour, to a slope up and
to one down. Three kinds of terms show this to least squares: hats (the piecewise linear basis: each is one at its knot
and falls to zero at its neighbours'), products of two load means (a hill taken fast costs more than hill and pace), and
products of heart rate's hats with how young the session is and with how heart rate and load move.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.features import FEATURE_NAMES, GROUPS

# Feature to the knots of its hats, in the unit of the feature; beyond the outer knots a hat goes on as it is there.
_HEART_RATES = tuple((bpm - 130) / 30 for bpm in range(70, 191, 10))
_SLOPES = (-2.0, -1.0, -0.5, -0.2, 0.0, 0.2, 0.5, 1.0, 2.0)
_KNOTS: dict[str, tuple[float, ...]] = {
    "heart_rate": _HEART_RATES,
    "session_age_60s": tuple(math.exp(-s / 60) for s in (240, 120, 60, 30, 10, 0)),
    "session_age_600s": tuple(math.exp(-s / 600) for s in (2480, 980, 480, 240, 0)),
    "heart_rate_over_mean_1200s": tuple(bpm / 15 for bpm in (-60, -40, -25, -12, -5, 0, 5, 12, 25, 40)),
    "speed": (-2.5, -1.5, -0.8, -0.3, 0.0, 0.3, 0.6, 1.0, 1.6, 2.5, 5.0),
    "grade": _SLOPES,
    "climb": _SLOPES,
    "cadence": (-3.5, -1.0, 0.0, 0.5, 0.75, 1.0, 2.0, 5.0),
    "power": (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.5),
}

# Each of these is multiplied by every hat of a coarser row over heart rate.
_COARSE = tuple((bpm - 130) / 30 for bpm in range(70, 191, 20))
_BY_HEART_RATE = (
    "session_age_60s",
    "session_age_600s",
    "heart_rate_change_8s",
    "heart_rate_change_30s",
    "heart_rate_change_90s",
    "speed_over_mean_30s",
    "climb_over_mean_30s",
    "power_over_mean_30s",
    "cadence_over_mean_30s",
)

# Means over the last half minute and two minutes, multiplied two by two; power is work already.
_MEANS_S = (30, 120)
_PAIRS = (*itertools.combinations_with_replacement(("speed", "grade", "cadence", "climb"), 2), ("power", "power"))
_LIMIT = 6.0  # of a product, as of a feature

_COLUMN = {name: column for column, name in enumerate(FEATURE_NAMES)}


def _group_of(feature: str) -> int:
    """Column of the mask of the feature's sensor."""
    return max(columns.start for columns in GROUPS.values() if columns.start <= _COLUMN[feature])


_ROWS = (*_KNOTS.items(), ("heart_rate", _COARSE))
_KNOT = np.array([knot for _, knots in _ROWS for knot in knots])
_OF = np.array([_COLUMN[feature] for feature, knots in _ROWS for _ in knots])
_PRESENT = np.array([_group_of(feature) for feature, knots in _ROWS for _ in knots])
_LOW = np.array([knots[0] for _, knots in _ROWS for _ in knots])
_HIGH = np.array([knots[-1] for _, knots in _ROWS for _ in knots])
# How fast a hat falls to its neighbours; none lies beyond the outer ones, and nothing is let get there.
_DOWN = np.array([s for _, knots in _ROWS for s in (*(1 / (b - a) for a, b in itertools.pairwise(knots)), 0.0)])
_UP = np.array([s for _, knots in _ROWS for s in (0.0, *(1 / (a - b) for a, b in itertools.pairwise(knots)))])
_COARSE_FROM = len(_KNOT) - len(_COARSE)

_MULTIPLIED = np.array([_COLUMN[name] for name in _BY_HEART_RATE])
_LOADS = ("speed", "grade", "cadence", "climb", "power")
_LOAD = np.array([_COLUMN[load] for _ in _MEANS_S for load in _LOADS])
_OVER_MEAN = np.array([_COLUMN[f"{load}_over_mean_{span}s"] for span in _MEANS_S for load in _LOADS])
_ONE, _OTHER = np.array(
    [[i * len(_LOADS) + _LOADS.index(load) for load in pair] for i, _ in enumerate(_MEANS_S) for pair in _PAIRS]
).T

TERMS = _COARSE_FROM + len(_COARSE) * len(_MULTIPLIED) + len(_ONE)


def terms(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Terms of one second, float64 (`TERMS`,), from its features, float64 (features,); 0 where a sensor is missing."""
    distance = np.minimum(np.maximum(features[_OF], _LOW), _HIGH) - _KNOT
    hats = np.maximum(1.0 - np.maximum(distance * _DOWN, distance * _UP), 0.0) * features[_PRESENT]
    by_heart_rate = hats[_COARSE_FROM:, None] * features[_MULTIPLIED]
    means = features[_LOAD] - features[_OVER_MEAN]
    products = np.minimum(np.maximum(means[_ONE] * means[_OTHER], -_LIMIT), _LIMIT)
    return np.concatenate([hats[:_COARSE_FROM], by_heart_rate.ravel(), products])
