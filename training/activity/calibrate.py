"""From logits to answers: a temperature, and when to say that it is unknown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.activity import probabilities
from edge_agent.inference.bundle import Calibration

Logits = NDArray[np.float32]
Labels = NDArray[np.int64]

# Of the answers on people not seen, this share may be given up as unknown: the least probable ones, among which every
# second one is wrong.
GIVEN_UP = 0.05

_TEMPERATURES = np.exp(np.linspace(np.log(0.4), np.log(4.0), 60))
_BINS = 10
_PLAIN = Calibration(1.0, 0.0)


def calibrate(logits: Logits, label: Labels) -> Calibration:
    """The temperature at which the labels are most likely, and the threshold that gives up `GIVEN_UP` of the windows.

    Args:
        logits: of people that the networks have not seen, (windows, classes).
        label: what they did, (windows,).
    """
    temperature = float(min(_TEMPERATURES, key=lambda t: _surprise(logits, label, float(t))))
    best = probabilities(logits, Calibration(temperature, 0.0)).max(axis=1)
    return Calibration(round(temperature, 3), round(float(np.quantile(best, GIVEN_UP)), 3))


def _surprise(logits: Logits, label: Labels, temperature: float) -> float:
    likely = probabilities(logits, Calibration(temperature, 0.0))
    return float(-np.log(likely[np.arange(len(label)), label] + 1e-12).mean())


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the probabilities can be trusted.

    Attributes:
        error_before: expected calibration error of the plain softmax.
        error_after: with the temperature.
        known_share: share of windows that are not answered as unknown.
        wrong_known: share of wrong answers among them.
        wrong_unknown: share of wrong labels among those answered as unknown.
        wrong_all: share of wrong labels if nothing were unknown.
    """

    error_before: float
    error_after: float
    known_share: float
    wrong_known: float
    wrong_unknown: float
    wrong_all: float


def trust(logits: Logits, label: Labels, calibration: Calibration) -> Trust:
    """How far the probabilities can be trusted, on windows of people that the networks have not seen."""
    likely = probabilities(logits, calibration)
    known = likely.max(axis=1) >= calibration.unknown_below
    wrong = likely.argmax(axis=1) != label
    return Trust(
        _calibration_error(probabilities(logits, _PLAIN), label),
        _calibration_error(likely, label),
        float(known.mean()),
        float(wrong[known].mean()) if known.any() else float("nan"),
        float(wrong[~known].mean()) if (~known).any() else float("nan"),
        float(wrong.mean()),
    )


def coverage_curve(logits: Logits, label: Labels) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Share of windows answered, most probable first, and the share of wrong ones among them, both (windows,)."""
    likely = probabilities(logits, _PLAIN)
    order = np.argsort(-likely.max(axis=1), kind="stable")
    wrong = (likely.argmax(axis=1) != label)[order]
    answered = np.arange(1, len(label) + 1)
    return answered / len(label), np.cumsum(wrong) / answered


def _calibration_error(likely: NDArray[np.float64], label: Labels) -> float:
    """Mean distance between probability and share of right answers, over bins of probability."""
    best = likely.max(axis=1)
    right = likely.argmax(axis=1) == label
    which = np.minimum((best * _BINS).astype(np.int64), _BINS - 1)
    return float(sum(abs((best[which == b] - right[which == b]).sum()) for b in range(_BINS)) / len(label))
