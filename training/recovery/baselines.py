"""What the recovery model has to beat: fitted to the same people, seeing the same half minute.

All of them predict the change of heart rate from second `ORIGIN_S` after the stop until each horizon, in bpm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from edge_agent.inference.forecast import HIGHEST_BPM, LOWEST_BPM
from edge_agent.signals.recovery import HORIZONS_S
from training.recovery.dataset import ORIGIN_S, Recovered, measured_bpm

_AHEAD_S = np.array(HORIZONS_S) - ORIGIN_S

Changes = NDArray[np.float64]


class Baseline(Protocol):
    """A forecaster to compare with."""

    name: str

    def fit(self, recovered: Sequence[Recovered]) -> None:
        """Fit to the recoveries of the people who are not scored."""

    def predict(self, recovered: Sequence[Recovered]) -> Changes:
        """Forecast the change in bpm, (recoveries, horizons)."""


def origin_bpm(recovered: Sequence[Recovered]) -> NDArray[np.float64]:
    """Heart rate at the origin in bpm, (recoveries,)."""
    return np.array([r.now_bpm[ORIGIN_S - 1] for r in recovered], np.float64)


def changes_bpm(recovered: Sequence[Recovered]) -> Changes:
    """What happened: the change from the origin to each horizon in bpm, (recoveries, horizons)."""
    return np.array([r.outcome_bpm for r in recovered], np.float64) - origin_bpm(recovered)[:, None]


class Persistence:
    """The value at the origin stays."""

    name = "persistence"

    def fit(self, recovered: Sequence[Recovered]) -> None:
        """Nothing to fit."""

    def predict(self, recovered: Sequence[Recovered]) -> Changes:
        """No change."""
        return np.zeros((len(recovered), len(HORIZONS_S)))


class MeanFall:
    """Everybody falls by as much as the others did in the mean."""

    name = "mean fall"

    def fit(self, recovered: Sequence[Recovered]) -> None:
        """Take the mean."""
        self._mean = changes_bpm(recovered).mean(axis=0)

    def predict(self, recovered: Sequence[Recovered]) -> Changes:
        """The same for everybody."""
        return np.repeat(self._mean[None], len(recovered), axis=0)


class SharedTau:
    """A first-order fall towards the person's own baseline, with one time constant for all people."""

    name = "shared time constant"

    def fit(self, recovered: Sequence[Recovered]) -> None:
        """Choose the time constant of least absolute error over both horizons."""
        happened = changes_bpm(recovered)
        taus_s = np.geomspace(15, 600, 400)
        losses = [np.abs(self._fall(recovered, tau_s) - happened).sum() for tau_s in taus_s]
        self.tau_s = float(taus_s[int(np.argmin(losses))])

    def predict(self, recovered: Sequence[Recovered]) -> Changes:
        """Fall towards each one's baseline."""
        return self._fall(recovered, self.tau_s)

    @staticmethod
    def _fall(recovered: Sequence[Recovered], tau_s: float) -> Changes:
        baseline_bpm = np.array([r.baseline_bpm for r in recovered])
        excess_bpm = origin_bpm(recovered) - baseline_bpm
        return np.asarray(excess_bpm[:, None] * np.expm1(-_AHEAD_S / tau_s), np.float64)


class FreeExponential:
    """A mono-exponential with all three parameters fitted to the half minute after the stop, each one on its own."""

    name = "free mono-exponential"

    def fit(self, recovered: Sequence[Recovered]) -> None:
        """Nothing is shared between people."""

    def predict(self, recovered: Sequence[Recovered]) -> Changes:
        """Continue each one's curve."""
        return np.array([self._continue(r) for r in recovered])

    @staticmethod
    def _continue(recovered: Recovered) -> Changes:
        seconds = np.arange(ORIGIN_S + 1)
        stop_t_s = recovered.stop.stop_t_s
        bpm = np.array([measured_bpm(recovered.recording, stop_t_s + s) for s in seconds.tolist()])
        seconds, bpm = seconds[~np.isnan(bpm)], bpm[~np.isnan(bpm)]
        best, forecast = np.inf, np.zeros(len(HORIZONS_S))
        for tau_s in np.geomspace(5, 600, 100):
            design = np.stack([np.ones(len(seconds)), np.exp(-seconds / tau_s)], axis=1)
            (asymptote, amplitude), *_ = np.linalg.lstsq(design, bpm, rcond=None)
            if (error := float(((design @ (asymptote, amplitude) - bpm) ** 2).sum())) < best:
                best, forecast = error, asymptote + amplitude * np.exp(-np.array(HORIZONS_S) / tau_s)
        return np.asarray(forecast.clip(LOWEST_BPM, HIGHEST_BPM) - recovered.now_bpm[ORIGIN_S - 1], np.float64)


class FallRidge:
    """Linear regression with an L2 penalty, chosen by leaving one recovery out.

    From the value at the origin, its excess over the baseline, the drop since the stop, and the last ten seconds of it.
    """

    name = "ridge"

    def fit(self, recovered: Sequence[Recovered]) -> None:
        """Fit both horizons."""
        self._model: Any = make_pipeline(StandardScaler(), RidgeCV(alphas=np.geomspace(0.1, 1000, 20)))
        self._model.fit(self._rows(recovered), changes_bpm(recovered))

    def predict(self, recovered: Sequence[Recovered]) -> Changes:
        """Forecast both horizons."""
        return np.asarray(self._model.predict(self._rows(recovered)), np.float64)

    @staticmethod
    def _rows(recovered: Sequence[Recovered]) -> Changes:
        now_bpm = origin_bpm(recovered)
        baseline_bpm = np.array([r.baseline_bpm for r in recovered])
        drop_bpm = np.array([r.at_stop_bpm for r in recovered]) - now_bpm
        before_bpm = np.array([measured_bpm(r.recording, r.stop.stop_t_s + ORIGIN_S - 10) for r in recovered])
        last_bpm = np.nan_to_num(before_bpm - now_bpm)
        return np.stack([now_bpm, now_bpm - baseline_bpm, drop_bpm, last_bpm], axis=1)


def baselines() -> list[Baseline]:
    """All of them, unfitted."""
    return [Persistence(), MeanFall(), SharedTau(), FreeExponential(), FallRidge()]


def fitted(recovered: Sequence[Recovered]) -> list[Baseline]:
    """All of them, fitted to some people's recoveries."""
    made = baselines()
    for baseline in made:
        baseline.fit(recovered)
    return made


def baselines_left_out(
    trained: Sequence[Recovered], scored: Sequence[Recovered]
) -> tuple[dict[str, Changes], NDArray[np.float64]]:
    """Each baseline's forecasts, fitted without the person; and the shared time constant of each recovery."""
    person_of = np.array([r.recording.person for r in scored])
    forecasts = {b.name: np.empty((len(person_of), len(HORIZONS_S))) for b in baselines()}
    tau_s = np.empty(len(person_of))
    for person in sorted(set(person_of.tolist())):
        mine = person_of == person
        own = [r for r in scored if r.recording.person == person]
        for baseline in fitted([r for r in trained if r.recording.person != person]):
            forecasts[baseline.name][mine] = baseline.predict(own)
            if isinstance(baseline, SharedTau):
                tau_s[mine] = baseline.tau_s
    return forecasts, tau_s
