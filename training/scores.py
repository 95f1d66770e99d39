"""Errors on the scored origins, the same for every method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.dataset import HORIZONS_S, Session

Arrays = Sequence[NDArray[np.float32]]


def mae_bpm(sessions: Sequence[Session], medians: Arrays) -> list[float]:
    """Mean absolute error in bpm by horizon over all scored origins.

    Args:
        sessions: what happened.
        medians: the forecast change in bpm, (seconds, horizons) per session.
    """
    return [_mean(sessions, medians, column) for column in range(len(HORIZONS_S))]


def _mean(sessions: Sequence[Session], medians: Arrays, column: int) -> float:
    errors = [
        np.abs(s.change_bpm[:, column] - m[:, column])[s.scored[:, column]]
        for s, m in zip(sessions, medians, strict=True)
    ]
    pooled = np.concatenate(errors)
    return float(pooled.mean()) if len(pooled) else float("nan")


def origins(sessions: Sequence[Session]) -> list[int]:
    """How many origins are scored at each horizon."""
    return [int(sum(s.scored[:, column].sum() for s in sessions)) for column in range(len(HORIZONS_S))]


def share_below(sessions: Sequence[Session], quantiles: Arrays) -> NDArray[np.float64]:
    """How often what happened lay below a forecast quantile.

    A value equal to the quantile counts half: heart rate is a whole number on most sensors.

    Args:
        sessions: what happened.
        quantiles: forecast quantiles of the change in bpm, (seconds, horizons x quantiles) per session.

    Returns:
        Shares, (horizons, quantiles).
    """
    shares = []
    for column in range(len(HORIZONS_S)):
        below = []
        for session, q in zip(sessions, quantiles, strict=True):
            scored = session.scored[:, column]
            forecast = q.reshape(len(q), len(HORIZONS_S), -1)[scored, column]
            change_bpm = session.change_bpm[scored, column, None]
            below.append((change_bpm < forecast) + 0.5 * (change_bpm == forecast))
        shares.append(np.concatenate(below).mean(axis=0))
    return np.array(shares)


def share_inside(sessions: Sequence[Session], quantiles: Arrays) -> list[float]:
    """How often what happened lay between the lowest and the highest forecast quantile, bounds included, by horizon."""
    shares = []
    for column in range(len(HORIZONS_S)):
        inside = []
        for session, q in zip(sessions, quantiles, strict=True):
            scored = session.scored[:, column]
            forecast = q.reshape(len(q), len(HORIZONS_S), -1)[scored, column]
            change_bpm = session.change_bpm[scored, column]
            inside.append((forecast[:, 0] <= change_bpm) & (change_bpm <= forecast[:, -1]))
        shares.append(float(np.concatenate(inside).mean()))
    return shares


def first_minute_ratio(sessions: Sequence[Session], medians: Arrays) -> list[float]:
    """Error in a session's first minute relative to persistence's there, by horizon; below 1 is better than it."""
    ratios = []
    for column in range(len(HORIZONS_S)):
        ours = theirs = 0.0
        for session, m in zip(sessions, medians, strict=True):
            change_bpm = session.change_bpm[:60, column]
            known = ~np.isnan(change_bpm)
            ours += float(np.abs(change_bpm - m[:60, column])[known].sum())
            theirs += float(np.abs(change_bpm[known]).sum())
        ratios.append(ours / theirs if theirs else float("nan"))
    return ratios
