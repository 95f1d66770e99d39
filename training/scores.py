"""Errors on the scored origins, the same for every method."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import interval
from training.dataset import HORIZONS_S, Session

Arrays = Sequence[NDArray[np.float32]]

# What a session is doing at an origin. Heart rate is on its way once it has moved by more in the last half minute than
# the typical error of showing the last value.
PHASES = ("first 5 min", "rising", "falling", "steady")
_FIRST_S = 300
_MOVED_S = 30
_MOVED_BPM = 5.0


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


def phase(session: Session) -> NDArray[np.int64]:
    """Index in `PHASES` of each second, (seconds,), from nothing that comes after it."""
    before_bpm = np.concatenate([np.full(_MOVED_S, np.nan), session.anchor_bpm])[: len(session.anchor_bpm)]
    moved_bpm = session.anchor_bpm - before_bpm
    first = np.arange(len(moved_bpm)) < _FIRST_S
    return np.select([first, moved_bpm > _MOVED_BPM, moved_bpm < -_MOVED_BPM], [0, 1, 2], 3)


def mae_by_phase_bpm(sessions: Sequence[Session], medians: Arrays) -> list[list[float]]:
    """Mean absolute error in bpm by phase and horizon; NaN where a phase does not occur."""
    phases = [phase(s) for s in sessions]
    return [
        mae_bpm(
            [
                dataclasses.replace(s, scored=s.scored & (p == i)[:, None])
                for s, p in zip(sessions, phases, strict=True)
            ],
            medians,
        )
        for i in range(len(PHASES))
    ]


def ratio_interval(sessions: Sequence[Session], medians: Arrays) -> tuple[list[float], list[float]]:
    """95 % bootstrap interval of the error relative to persistence's.

    Drawn with replacement are people, or sessions where there is one person.

    Returns:
        Lower and upper end, by horizon.
    """
    people = sorted({s.recording.person for s in sessions})
    units = [people.index(s.recording.person) if len(people) > 1 else i for i, s in enumerate(sessions)]
    errors = np.zeros((max(units) + 1, len(HORIZONS_S), 2))
    for unit, session, m in zip(units, sessions, medians, strict=True):
        errors[unit, :, 0] += np.where(session.scored, np.abs(session.change_bpm - m), 0.0).sum(axis=0)
        errors[unit, :, 1] += np.where(session.scored, np.abs(session.change_bpm), 0.0).sum(axis=0)
    low, high = interval(errors, lambda sums: np.asarray(sums[..., 0] / np.maximum(sums[..., 1], 1e-9)))
    return low.tolist(), high.tolist()
