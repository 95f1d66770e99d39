"""Figures of merit of recognition, by person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.activity.classes import CLASSES
from training.bootstrap import interval

Labels = NDArray[np.int64]


def confusion(label: Labels, predicted: Labels) -> NDArray[np.int64]:
    """Windows by true class (rows) and recognised class (columns)."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    np.add.at(counts, (label, predicted), 1)
    return counts


def macro_f1_of(counts: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over the classes that were done of the F1 score.

    Args:
        counts: confusion matrices, (..., true classes, recognised classes).

    Returns:
        Scores, (...).
    """
    done = counts.sum(axis=-1)
    f1 = 2 * np.diagonal(counts, axis1=-2, axis2=-1) / np.maximum(done + counts.sum(axis=-2), 1e-9)
    return np.asarray(np.nanmean(np.where(done > 0, f1, np.nan), axis=-1))


def macro_f1(label: Labels, predicted: Labels) -> float:
    """Mean over the classes that were done of the F1 score."""
    return float(macro_f1_of(confusion(label, predicted)))


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
    methods = (*predicted, baseline)
    counts = np.array([[confusion(label[group == g], p[group == g]) for p in methods] for g in people], np.float64)

    def gain(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        f1 = macro_f1_of(sums)
        return np.asarray(f1[:, :-1].mean(axis=1) - f1[:, -1])

    low, high = interval(counts, gain)
    return float(low), float(high)
