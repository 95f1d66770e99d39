"""What any model has to beat, fitted on the same sessions and scored on the same origins.

All of them predict the change of heart rate until each horizon, in bpm, from the last `HISTORY_S` seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from edge_agent.recordings.recording import CHANNELS
from training.dataset import HORIZONS_S, Session
from training.physiology import FirstOrder

_LAGS_S = (1, 2, 3, 4, 5, 7, 10, 14, 20, 28, 40, 60, 80, 100, 120)
_LOADS = tuple(name for name in CHANNELS if name != "heart_rate_bpm")
_EVERY_S = 3  # origins a second apart are nearly the same; a third of them fits as well and three times as fast


class Baseline(Protocol):
    """A forecaster to compare with."""

    name: str

    def fit(self, sessions: Sequence[Session]) -> None:
        """Fit to the scored origins of the training sessions."""

    def predict(self, session: Session) -> NDArray[np.float32]:
        """Forecast the change in bpm, float32 (seconds, horizons); what it says where nothing is scored is void."""


def lags(session: Session, *, loads: bool) -> NDArray[np.float32]:
    """Heart rate and load of the last two minutes as columns.

    Returns:
        float32 (seconds, columns), NaN where missing: heart rate now, its change over each lag, and with `loads` every
        load channel now and at each lag (altitude as its rise since then).
    """
    heart_rate = session.anchor_bpm
    columns = [heart_rate, *(heart_rate - _shifted(heart_rate, lag) for lag in _LAGS_S)]
    if loads:
        for name in _LOADS:
            values = session.recording.channels.get(name)
            if values is None:
                values = np.full(len(heart_rate), np.nan, np.float32)
            past = [_shifted(values, lag) for lag in _LAGS_S]
            columns += [values - p for p in past] if name == "altitude_m" else [values, *past]
    return np.stack(columns, axis=1)


def _shifted(values: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    out = np.full_like(values, np.nan)
    out[lag:] = values[:-lag] if lag < len(values) else values[:0]
    return out


def _origins(sessions: Sequence[Session], *, loads: bool) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Rows and targets of the origins that baselines are fitted to; NaN where a horizon is not scored."""
    rows, targets = [], []
    for session in sessions:
        kept = np.flatnonzero(session.scored.any(axis=1))[::_EVERY_S]
        rows.append(lags(session, loads=loads)[kept])
        targets.append(np.where(session.scored, session.change_bpm, np.nan)[kept])
    return np.concatenate(rows), np.concatenate(targets)


class Persistence:
    """The last value stays."""

    name = "persistence"

    def fit(self, sessions: Sequence[Session]) -> None:
        """Nothing to fit."""

    def predict(self, session: Session) -> NDArray[np.float32]:
        """No change."""
        return np.zeros_like(session.change_bpm)


class DampedTrend:
    """The slope of the last seconds goes on, and fades: Gardner and McKenzie 1985, Management Science 31:1237."""

    name = "damped trend"

    def __init__(self) -> None:
        self._window_s = 10
        self._damping = 0.9

    def fit(self, sessions: Sequence[Session]) -> None:
        """Choose the window of the slope and its damping by absolute error relative to persistence."""
        best = np.inf
        for window_s in (3, 5, 10, 20, 30):
            for damping in (0.8, 0.9, 0.95, 0.97, 0.98, 0.99):
                self_error = np.zeros(len(HORIZONS_S))
                persistence = np.zeros(len(HORIZONS_S))
                for session in sessions:
                    predicted = self._trend(session, window_s, damping)
                    target = np.where(session.scored, session.change_bpm, np.nan)
                    self_error += np.nansum(np.abs(target - predicted), axis=0)
                    persistence += np.nansum(np.abs(target), axis=0)
                if (error := float((self_error / np.maximum(persistence, 1e-9)).mean())) < best:
                    best, self._window_s, self._damping = error, window_s, damping

    def predict(self, session: Session) -> NDArray[np.float32]:
        """Continue the slope."""
        return self._trend(session, self._window_s, self._damping)

    @staticmethod
    def _trend(session: Session, window_s: int, damping: float) -> NDArray[np.float32]:
        slope = (session.anchor_bpm - _shifted(session.anchor_bpm, window_s)) / window_s
        reach_s = np.array([damping * (1 - damping**h) / (1 - damping) for h in HORIZONS_S], np.float32)
        return np.asarray(slope[:, None] * reach_s, np.float32)


def _one_thread() -> AbstractContextManager[object]:
    """OpenMP's threads wait for each other by spinning: where cores are shared, two take ten times as long as one."""
    return threadpool_limits(1, user_api="openmp")  # type: ignore[no-any-return]


class OnLags:
    """One scikit-learn regressor per horizon on the lags."""

    def __init__(self, name: str, make: Callable[[], Any], *, loads: bool) -> None:
        """Name the baseline.

        Args:
            name: of the baseline.
            make: a regressor that is not fitted yet.
            loads: whether it sees the loads, or heart rate alone.
        """
        self.name = name
        self._make = make
        self._loads = loads
        self._models: list[Any] = []
        self._columns: NDArray[np.bool_] = np.zeros(0, np.bool_)

    def fit(self, sessions: Sequence[Session]) -> None:
        """Fit each horizon on its own."""
        rows, targets = _origins(sessions, loads=self._loads)
        self._columns = ~np.isnan(rows).all(axis=0)  # a sensor that nobody had says nothing
        self._models = []
        for target in targets.T:
            kept = ~np.isnan(target)
            with _one_thread():
                self._models.append(self._make().fit(rows[kept][:, self._columns], target[kept]))

    def predict(self, session: Session) -> NDArray[np.float32]:
        """Forecast each horizon on its own."""
        rows = lags(session, loads=self._loads)[:, self._columns]
        with _one_thread():
            columns = [model.predict(rows) for model in self._models]
        return np.asarray(np.stack(columns, axis=1), np.float32)


def ridge() -> Any:  # noqa: ANN401 - scikit-learn has no types
    """Linear regression with an L2 penalty; a missing value counts as the mean of its column."""
    return make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha=10.0))


def trees() -> Any:  # noqa: ANN401
    """Histogram gradient boosting for the absolute error; it takes missing values as they are."""
    return HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=300, learning_rate=0.08, min_samples_leaf=50, random_state=0
    )


def baselines() -> list[Baseline]:
    """All of them, unfitted, the weakest first."""
    return [
        Persistence(),
        DampedTrend(),
        FirstOrder(),
        OnLags("ridge, heart rate", ridge, loads=False),
        OnLags("ridge, heart rate and load", ridge, loads=True),
        OnLags("trees, heart rate", trees, loads=False),
        OnLags("trees", trees, loads=True),
    ]
