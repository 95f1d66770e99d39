"""Says in time when heart rate is about to pass a threshold, from the quantiles of the forecast."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.forecast import QUANTILES
from training.dataset import HORIZONS_S, Session

# Seconds within which the threshold is passed, and the threshold as a share of the athlete's highest heart rate: about
# where the second ventilatory threshold lies.
WITHIN_S = 30
THRESHOLD = 0.85

# Heart rate passes the threshold somewhere within 30 s 1.2 times as often as it is above it at the end (53 runs of
# athlete-hr-predict). So it passes more often than not from this chance on of being above it at a horizon.
ALERT_FROM = 0.5 / 1.2

_OUTER_Z = 1.2815515655446004  # of the 90 % quantile of the normal distribution
_FINEST_BPM = 0.1  # spread below which a forecast counts as certain

_erf = np.vectorize(math.erf, otypes=[np.float64])


class Alert(msgspec.Struct, frozen=True):
    """How good an alert is, second by second, while heart rate is below the threshold.

    Attributes:
        method: what it is made from.
        recall: share of the seconds followed by a passage for which it was on.
        precision: share of the seconds for which it was on that were followed by a passage; NaN where it never was.
    """

    method: str
    recall: float
    precision: float


def chance_above(quantiles: NDArray[np.float32], distance_bpm: NDArray[np.float32]) -> NDArray[np.float64]:
    """Chance that heart rate has risen by some distance at a horizon.

    The forecast is read as a normal distribution in two halves (Fechner; Wallis 2014, Statist. Sci. 29:106), each with
    the spread that the quantile on its side says.

    Args:
        quantiles: 10 %, 50 % and 90 % of the change in bpm, (seconds, 3).
        distance_bpm: to the threshold, (seconds,).
    """
    low, median, high = quantiles.astype(np.float64).T
    side_bpm = np.where(distance_bpm > median, high - median, median - low)
    z = (distance_bpm - median) / np.maximum(side_bpm / _OUTER_Z, _FINEST_BPM)
    return np.asarray(0.5 * (1 - _erf(z / math.sqrt(2))))


def chance_to_pass(quantiles: NDArray[np.float32], distance_bpm: NDArray[np.float32]) -> NDArray[np.float64]:
    """The greatest chance of being above the threshold at any horizon up to `WITHIN_S`.

    Args:
        quantiles: of the change in bpm, (seconds, horizons x quantiles).
        distance_bpm: to the threshold, (seconds,).
    """
    by_horizon = quantiles.reshape(len(quantiles), len(HORIZONS_S), len(QUANTILES))
    columns = [i for i, horizon_s in enumerate(HORIZONS_S) if horizon_s <= WITHIN_S]
    return np.asarray(np.max([chance_above(by_horizon[:, i], distance_bpm) for i in columns], axis=0))


def passes(session: Session, threshold_bpm: float) -> NDArray[np.bool_]:
    """Whether heart rate is at the threshold or above it at any of the next `WITHIN_S` seconds, (seconds,)."""
    padded = np.concatenate([session.anchor_bpm[1:], np.full(WITHIN_S, np.nan, np.float32)])
    ahead = np.lib.stride_tricks.sliding_window_view(padded, WITHIN_S)
    return np.asarray((ahead >= threshold_bpm).any(axis=1))


def thresholds_bpm(sessions: Sequence[Session]) -> dict[str, float]:
    """Each person's threshold in bpm, from the highest heart rate of all sessions."""
    highest: dict[str, float] = {}
    for session in sessions:
        person = session.recording.person
        highest[person] = max(highest.get(person, 0.0), float(np.nanmax(session.anchor_bpm)))
    return {person: THRESHOLD * bpm for person, bpm in highest.items()}


def score_alert(
    method: str,
    sessions: Sequence[Session],
    quantiles: Sequence[NDArray[np.float32]],
    thresholds: Mapping[str, float],
    *,
    median_alone: bool = False,
) -> Alert:
    """Score an alert on the seconds below the threshold that are scored at `WITHIN_S`.

    Args:
        method: what to call it.
        sessions: what happened.
        quantiles: of the change in bpm, (seconds, horizons x quantiles) per session.
        thresholds: person to threshold in bpm.
        median_alone: whether the alert is on when the median at `WITHIN_S` is above the threshold, for comparison.
    """
    column = HORIZONS_S.index(WITHIN_S)
    on, came = [], []
    for session, q in zip(sessions, quantiles, strict=True):
        threshold_bpm = thresholds[session.recording.person]
        below = session.scored[:, column] & (session.anchor_bpm < threshold_bpm)
        distance_bpm = threshold_bpm - session.anchor_bpm[below]
        median_bpm = q[below].reshape(len(distance_bpm), len(HORIZONS_S), len(QUANTILES))[:, column, 1]
        alert = median_bpm >= distance_bpm if median_alone else chance_to_pass(q[below], distance_bpm) >= ALERT_FROM
        on.append(alert)
        came.append(passes(session, threshold_bpm)[below])
    return _scored(method, np.concatenate(on), np.concatenate(came))


def _scored(method: str, on: NDArray[np.bool_], came: NDArray[np.bool_]) -> Alert:
    hits = int((on & came).sum())
    return Alert(
        method,
        recall=hits / int(came.sum()) if came.any() else math.nan,
        precision=hits / int(on.sum()) if on.any() else math.nan,
    )
