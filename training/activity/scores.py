"""Figures of merit of recognition, by person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.activity.classes import CLASSES

Labels = NDArray[np.int64]

_RESAMPLES = 2000


def confusion(label: Labels, predicted: Labels) -> NDArray[np.int64]:
    """Windows by true class (rows) and recognised class (columns)."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(counts, (label, predicted), 1)
    return counts


def macro_f1_of(counts: NDArray[np.int64]) -> float:
    """Mean over the classes that were done of the F1 score, from a confusion matrix."""
    done = counts.sum(axis=1)
    hits = np.diag(counts)
    f1 = 2 * hits / np.maximum(done + counts.sum(axis=0), 1)
    return float(f1[done > 0].mean())


def macro_f1(label: Labels, predicted: Labels) -> float:
    """Mean over the classes that were done of the F1 score."""
    return macro_f1_of(confusion(label, predicted))


def by_group(label: Labels, predicted: Labels, group: NDArray[np.str_]) -> dict[str, float]:
    """Macro-F1 of each person."""
    return {str(g): macro_f1(label[group == g], predicted[group == g]) for g in sorted(set(group.tolist()))}


def gain_interval(
    label: Labels, group: NDArray[np.str_], predicted: Sequence[Labels], baseline: Labels
) -> tuple[float, float]:
    """95 % bootstrap interval over people of how much higher the macro-F1 is than the baseline's.

    Args:
        label: true classes, (windows,).
        group: person of each window.
        predicted: of the model, once per seed; their macro-F1 is averaged.
        baseline: of the baseline.
    """
    people = sorted(set(group.tolist()))
    counts = np.array([[confusion(label[group == g], p[group == g]) for g in people] for p in (*predicted, baseline)])
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(_RESAMPLES):
        drawn = rng.integers(len(people), size=len(people))
        *ours, theirs = (macro_f1_of(method[drawn].sum(axis=0)) for method in counts)
        gains.append(float(np.mean(ours)) - theirs)
    low, high = np.percentile(gains, [2.5, 97.5])
    return float(low), float(high)
