"""Heart rate as a first-order response to load, the baseline that knows physiology and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.features import FEATURE_NAMES
from training.dataset import HORIZONS_S, Session

# What stands for the work done, in order of preference: power is work, speed and climb are what a runner shows of it.
_DEMANDS = (("power",), ("speed", "climb"))

# Tried in every combination: the mean that load is taken to go on at, and time constants from the 24 s up and 30 s down
# that De Smet starts from to the minutes of the slow component.
_SPANS_S = (5, 15)
_ON_S = (24.0, 40.0, 60.0, 90.0, 130.0, 180.0)
_OFF_S = (30.0, 45.0, 70.0, 100.0, 150.0, 220.0)

_EVERY_S = 10  # seconds between the origins it is fitted to
_ROUNDS = 6  # the sides of the steady state settle in three or four
_TYPICAL_BPM = np.array([2.0, 5.0, 8.0])  # error of persistence, so that horizons weigh alike

_Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Response:
    """How heart rate answers to one kind of demand."""

    span_s: int
    on_s: float
    off_s: float
    steady: _Values


class FirstOrder:
    """Steady-state heart rate from load, approached with one time constant on the way up and another on the way down.

    The steady state is linear in load and rises with time; it is bounded by the highest heart rate in training. Load is
    taken to go on as in the last seconds. Fitted by least absolute error relative to persistence, for power and for
    speed apart; where there is no load, heart rate stays.

    Source: De Smet et al., CEUR-WS 1842, paper 13 (HR_ss = min(HR_max, HR_rest + k P (1 + drift)), 24 s up, 30 s down).
    """

    name = "first order"

    def __init__(self) -> None:
        self._responses: dict[tuple[str, ...], _Response] = {}
        self._highest_bpm = np.inf

    def fit(self, sessions: Sequence[Session]) -> None:
        """Fit each kind of demand to the scored origins where it is there."""
        self._highest_bpm = max(float(np.nanmax(s.anchor_bpm)) for s in sessions)
        self._responses = {}
        for demand in _DEMANDS:
            origins = [(s, np.flatnonzero(s.scored.any(axis=1) & _there(s, demand))[::_EVERY_S]) for s in sessions]
            if any(len(kept) for _, kept in origins):
                self._responses[demand] = _fitted(demand, origins)

    def predict(self, session: Session) -> NDArray[np.float32]:
        """Approach the steady state of the load that goes on."""
        change_bpm = np.zeros_like(session.change_bpm)
        for demand, r in self._responses.items():
            there = _there(session, demand)
            steady_bpm = np.minimum(_loads(session, demand, r.span_s) @ r.steady, self._highest_bpm)
            distance_bpm = steady_bpm - session.anchor_bpm
            change_bpm[there] = (distance_bpm[:, None] * _approach(distance_bpm, r.on_s, r.off_s))[there]
        return change_bpm


def _there(session: Session, demand: tuple[str, ...]) -> NDArray[np.bool_]:
    """The seconds at which this is the preferred demand of those that are there, (seconds,)."""
    present = [session.x[:, FEATURE_NAMES.index(f"{load}_present")] > 0 for load, *_ in _DEMANDS]
    nothing = np.ones(len(session.x), bool)
    return np.asarray(np.argmax([*present, nothing], axis=0) == _DEMANDS.index(demand))


def _loads(session: Session, demand: tuple[str, ...], span_s: int) -> _Values:
    """(seconds, 2 + loads): one, the hour, and the mean of each load over the last seconds, in the features' units."""
    means = [
        session.x[:, FEATURE_NAMES.index(load)] - session.x[:, FEATURE_NAMES.index(f"{load}_over_mean_{span_s}s")]
        for load in demand
    ]
    return np.stack([np.ones(len(session.x)), np.arange(len(session.x)) / 3600, *means], axis=1)


def _approach(distance_bpm: _Values, on_s: float, off_s: float) -> _Values:
    """Share of the distance to the steady state that is covered by each horizon, (seconds, horizons)."""
    time_constant_s = np.where(distance_bpm > 0, on_s, off_s)
    return 1 - np.exp(-np.array(HORIZONS_S) / time_constant_s[:, None])  # type: ignore[no-any-return]


def _fitted(demand: tuple[str, ...], origins: Sequence[tuple[Session, NDArray[np.int64]]]) -> _Response:
    now_bpm = np.concatenate([s.anchor_bpm[kept] for s, kept in origins]).astype(np.float64)
    change_bpm = np.concatenate([np.where(s.scored, s.change_bpm, np.nan)[kept] for s, kept in origins])
    tried = []
    for span_s in _SPANS_S:
        loads = np.concatenate([_loads(s, demand, span_s)[kept] for s, kept in origins])
        for on_s, off_s in itertools.product(_ON_S, _OFF_S):
            steady, error = _steady_state(loads, now_bpm, change_bpm.astype(np.float64), on_s, off_s)
            tried.append((error, _Response(span_s, on_s, off_s, steady)))
    return min(tried, key=lambda t: t[0])[1]


def _steady_state(
    loads: _Values, now_bpm: _Values, change_bpm: _Values, on_s: float, off_s: float
) -> tuple[_Values, float]:
    """Weights of the steady state, and the mean error in units of persistence's.

    With the sides of the steady state known, the forecast is linear in its weights: the sides are taken from the round
    before, and the squares are weighted so that they add up to absolute errors.
    """
    known = ~np.isnan(change_bpm)
    target = np.where(known, change_bpm, 0.0)
    steady = np.linalg.lstsq(loads, now_bpm, rcond=None)[0]
    for _ in range(_ROUNDS):
        share = _approach(loads @ steady - now_bpm, on_s, off_s)
        error_bpm = target - share * (loads @ steady - now_bpm)[:, None]
        weight = np.where(known, 1 / np.maximum(np.abs(error_bpm) * _TYPICAL_BPM, 0.5 * _TYPICAL_BPM), 0.0)
        # Normal equations, the horizons added up: share * (loads @ steady) is to be target + share * now.
        gram = loads.T @ (loads * (weight * share**2).sum(axis=1)[:, None])
        moment = loads.T @ (weight * share * (target + share * now_bpm[:, None])).sum(axis=1)
        steady = np.linalg.lstsq(gram, moment, rcond=None)[0]
    distance_bpm = loads @ steady - now_bpm
    error_bpm = np.abs(target - distance_bpm[:, None] * _approach(distance_bpm, on_s, off_s))
    return steady, float((error_bpm / _TYPICAL_BPM)[known].mean())
