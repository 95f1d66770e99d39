"""Scores cells beside the baselines, on sessions that neither has seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_agent.inference.forecast import QUANTILES
from edge_agent.recordings.recording import CHANNELS, Recording
from edge_agent.signals.features import GROUPS
from training.alert import Alert
from training.athletes import HEART_RATE, LSTM, MIXTURE, WITH_LOAD, Played, Playthrough, score_alerts
from training.baselines import Baseline
from training.dataset import HORIZONS_S, Session, make_session
from training.scores import (
    Arrays,
    first_minute_ratio,
    mae_bpm,
    mae_by_phase_bpm,
    origins,
    ratio_interval,
    share_below,
    share_inside,
)
from training.workout.fit import Judge

LSTM_HEART_RATE = f"{LSTM}, {HEART_RATE}"
MIXTURE_HEART_RATE = f"{MIXTURE}, {HEART_RATE}"
OURS = (LSTM_HEART_RATE, LSTM, MIXTURE_HEART_RATE, MIXTURE)
DRIFT_S = 7200


class Method(msgspec.Struct, frozen=True):
    """One method's mean absolute error.

    Attributes:
        name: of the method.
        mae_bpm: by horizon; the mean over seeds.
        sd_bpm: by horizon, standard deviation over seeds; empty for a method without seeds.
        ratio_low: lower end of the 95 % bootstrap interval of the error over persistence's, by horizon.
        ratio_high: its upper end.
        phase_mae_bpm: error by phase (`training.scores.PHASES`) and horizon.
    """

    name: str
    mae_bpm: list[float]
    sd_bpm: list[float]
    ratio_low: list[float]
    ratio_high: list[float]
    phase_mae_bpm: list[list[float]]


class Calibration(msgspec.Struct, frozen=True):
    """How far the quantiles of a method can be believed.

    Attributes:
        method: the LSTM as it was trained, or the mixture with its conformal step.
        inside: share of outcomes within the outer quantiles (nominal 0.8), by horizon, mean over seeds.
        below: share of outcomes below each quantile, by horizon and quantile, mean over seeds.
        first_minute_ratio: error in the first minute over persistence's, by horizon, mean over seeds.
    """

    method: str
    inside: list[float]
    below: list[list[float]]
    first_minute_ratio: list[float]


class DataSetScore(msgspec.Struct, frozen=True):
    """All methods on one set of sessions.

    Attributes:
        name: of the set.
        people: in it.
        sessions: in it.
        origins: scored, by horizon.
        methods: baselines first.
        calibrations: before and after the conformal step.
        alerts: that the threshold is about to be passed.
    """

    name: str
    people: int
    sessions: int
    origins: list[int]
    methods: list[Method]
    calibrations: list[Calibration]
    alerts: list[Alert]


class Drift(msgspec.Struct, frozen=True):
    """What carrying the state for two hours does.

    Attributes:
        hours: how long the state had been carried at the end.
        carried_mae_bpm: error in the last half hour, by horizon.
        fresh_mae_bpm: error on the same seconds with the state zeroed ten minutes before them.
    """

    hours: float
    carried_mae_bpm: list[float]
    fresh_mae_bpm: list[float]


@dataclass(slots=True, eq=False)
class Scoreboard:
    """Collects the forecasts of all methods for one set of sessions, fold by fold.

    Attributes:
        name: of the set.
        thresholds_bpm: person to the heart rate that alerts are about.
        sessions: of the set.
        made: method to what it forecast: by seed and session the change in bpm, (seconds, horizons), or its quantiles,
            (seconds, horizons x quantiles).
        played: inputs to the sessions as a device played them.
    """

    name: str
    thresholds_bpm: Mapping[str, float]
    sessions: list[Session] = field(default_factory=list)
    made: dict[str, list[list[NDArray[np.float32]]]] = field(default_factory=dict)
    played: dict[str, list[Played]] = field(default_factory=lambda: {HEART_RATE: [], WITH_LOAD: []})

    def add(
        self,
        sessions: Sequence[Session],
        baselines: Iterable[Baseline],
        cells: Sequence[keras.Model],
        played: Playthrough,
    ) -> None:
        """Forecast some sessions with everything.

        Args:
            sessions: to forecast.
            baselines: fitted on others.
            cells: in the order of the seeds.
            played: these sessions among all of their athletes', as a device would have played them with one of the
                cells.
        """
        self.sessions += sessions
        for baseline in baselines:
            self._extend(baseline.name, 0, [baseline.predict(s) for s in sessions])
        judge = Judge([*sessions, *(heart_rate_only(s) for s in sessions)])
        for seed, cell in enumerate(cells):
            forecasts = judge.predict(cell)
            self._extend(LSTM_HEART_RATE, seed, forecasts[len(sessions) :])
            self._extend(LSTM, seed, forecasts[: len(sessions)])
        for name, inputs in ((MIXTURE_HEART_RATE, HEART_RATE), (MIXTURE, WITH_LOAD)):
            by_key = {p.session.key: p for p in played[inputs]}
            self.played[inputs] += (own := [by_key[s.key] for s in sessions])
            self._extend(name, 0, [p.mixture for p in own])

    def _extend(self, method: str, seed: int, forecasts: Sequence[NDArray[np.float32]]) -> None:
        seeds = self.made.setdefault(method, [])
        if seed == len(seeds):
            seeds.append([])
        seeds[seed] += forecasts

    def score(self) -> DataSetScore:
        """Score what was collected."""
        return DataSetScore(
            name=self.name,
            people=len({s.recording.person for s in self.sessions}),
            sessions=len(self.sessions),
            origins=origins(self.sessions),
            methods=[self._method(name) for name in self.made],
            calibrations=[self._calibration(name) for name in (LSTM, MIXTURE)],
            alerts=score_alerts(self.played, self.thresholds_bpm),
        )

    def _method(self, name: str) -> Method:
        medians = [_medians(made) for made in self.made[name]]
        errors = np.array([mae_bpm(self.sessions, m) for m in medians])
        # Of several seeds, the interval is the first one's: it is about the people, not about the seeds.
        low, high = ratio_interval(self.sessions, medians[0])
        return Method(
            name=name,
            mae_bpm=errors.mean(axis=0).tolist(),
            sd_bpm=errors.std(axis=0, ddof=1).tolist() if len(medians) > 1 else [],
            ratio_low=low,
            ratio_high=high,
            phase_mae_bpm=_over_seeds(lambda m: mae_by_phase_bpm(self.sessions, m), medians),
        )

    def _calibration(self, name: str) -> Calibration:
        seeds = self.made[name]
        return Calibration(
            method=name,
            inside=_over_seeds(lambda made: share_inside(self.sessions, made), seeds),
            below=_over_seeds(lambda made: share_below(self.sessions, made), seeds),
            first_minute_ratio=_over_seeds(lambda made: first_minute_ratio(self.sessions, _medians(made)), seeds),
        )


def _medians(forecasts: Arrays) -> list[NDArray[np.float32]]:
    """The medians, of quantiles or of what is one already."""
    median = QUANTILES.index(0.5)
    return [f if f.shape[1] == len(HORIZONS_S) else f[:, median :: len(QUANTILES)] for f in forecasts]


def _over_seeds(measure: Callable[[Arrays], ArrayLike], seeds: Sequence[Arrays]) -> Any:  # noqa: ANN401 - nested lists
    return np.mean([np.asarray(measure(made)) for made in seeds], axis=0).tolist()


def heart_rate_only(session: Session) -> Session:
    """The session as a strap alone would have recorded it."""
    x = session.x.copy()
    x[:, GROUPS["heart_rate"].stop :] = 0.0
    return dataclasses.replace(session, x=x)


def measure_drift(sessions: Sequence[Session], cell: keras.Model) -> Drift | None:
    """Play sessions of one kind back to back for two hours without zeroing the state.

    Args:
        sessions: played in turn, and over again as long as it takes.
        cell: scored.

    Returns:
        None when the sessions are too short to compare anything.
    """
    joined = _joined([s.recording for s in sessions], DRIFT_S)
    session = make_session(joined)
    last = np.zeros_like(session.scored)
    last[-1800:] = session.scored[-1800:]
    if not last.any(axis=0).all():
        return None
    session = dataclasses.replace(session, scored=last, restarted=np.arange(len(last)) == 0)
    fresh = dataclasses.replace(session, restarted=np.arange(len(last)) == len(last) - 1800 - 600)
    carried, zeroed = _medians(Judge([session, fresh]).predict(cell))
    return Drift(len(last) / 3600, mae_bpm([session], [carried]), mae_bpm([fresh], [zeroed]))


def _joined(recordings: Sequence[Recording], seconds: int) -> Recording:
    columns: dict[str, list[NDArray[np.float32]]] = {name: [] for name in CHANNELS}
    filled = 0
    while filled < seconds:
        for recording in recordings:
            missing = np.full(recording.duration_s, np.nan, np.float32)
            for name, parts in columns.items():
                parts.append(recording.channels.get(name, missing))
            filled += recording.duration_s
    channels = {name: np.concatenate(parts)[:seconds] for name, parts in columns.items()}
    return dataclasses.replace(recordings[0], channels=channels, rr_intervals_ms={})
