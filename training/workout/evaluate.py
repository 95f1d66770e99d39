"""Scores cells beside the baselines, on sessions that neither has seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge_agent.recordings.recording import CHANNELS, Recording
from edge_agent.signals.features import GROUPS
from training.baselines import Baseline
from training.dataset import Session, make_session
from training.scores import Arrays, first_minute_ratio, mae_bpm, origins, share_below, share_inside
from training.workout.fit import Judge
from training.workout.model import QUANTILES

LSTM = "lstm"
LSTM_HEART_RATE = "lstm, heart rate only"
DRIFT_S = 7200


class Method(msgspec.Struct, frozen=True):
    """One method's mean absolute error.

    Attributes:
        name: of the method.
        mae_bpm: by horizon; the mean over seeds.
        sd_bpm: by horizon, standard deviation over seeds; empty for a method without seeds.
    """

    name: str
    mae_bpm: list[float]
    sd_bpm: list[float] = []


class DataSetScore(msgspec.Struct, frozen=True):
    """All methods on one set of sessions.

    Attributes:
        name: of the set.
        people: in it.
        sessions: in it.
        origins: scored, by horizon.
        methods: baselines first.
        share_inside: of outcomes within the LSTM's outer quantiles (nominal 0.8), by horizon, mean over seeds.
        share_below: of outcomes below each quantile, by horizon and quantile, mean over seeds.
        first_minute_ratio: the LSTM's error in the first minute over persistence's, by horizon, mean over seeds.
    """

    name: str
    people: int
    sessions: int
    origins: list[int]
    methods: list[Method]
    share_inside: list[float]
    share_below: list[list[float]]
    first_minute_ratio: list[float]


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
    """Collects the forecasts of all methods for one set of sessions, fold by fold."""

    name: str
    sessions: list[Session] = field(default_factory=list)
    baselines: dict[str, list[NDArray[np.float32]]] = field(default_factory=dict)
    lstm: list[list[NDArray[np.float32]]] = field(default_factory=list)
    lstm_heart_rate: list[list[NDArray[np.float32]]] = field(default_factory=list)

    def add(self, sessions: Sequence[Session], baselines: Iterable[Baseline], cells: Sequence[keras.Model]) -> None:
        """Forecast some sessions with everything; the order of `cells` is that of the seeds."""
        self.sessions += sessions
        for baseline in baselines:
            self.baselines.setdefault(baseline.name, []).extend(baseline.predict(s) for s in sessions)
        judge = Judge([*sessions, *(heart_rate_only(s) for s in sessions)])
        for seed, cell in enumerate(cells):
            if seed == len(self.lstm):
                self.lstm.append([])
                self.lstm_heart_rate.append([])
            forecasts = judge.predict(cell)
            self.lstm[seed] += forecasts[: len(sessions)]
            self.lstm_heart_rate[seed] += forecasts[len(sessions) :]

    def score(self) -> DataSetScore:
        """Score what was collected."""
        methods = [Method(name, mae_bpm(self.sessions, made)) for name, made in self.baselines.items()]
        for name, seeds in ((LSTM_HEART_RATE, self.lstm_heart_rate), (LSTM, self.lstm)):
            errors = np.array([mae_bpm(self.sessions, _medians(made)) for made in seeds])
            sd = errors.std(axis=0, ddof=1).tolist() if len(seeds) > 1 else []
            methods.append(Method(name, errors.mean(axis=0).tolist(), sd))
        return DataSetScore(
            name=self.name,
            people=len({s.recording.person for s in self.sessions}),
            sessions=len(self.sessions),
            origins=origins(self.sessions),
            methods=methods,
            share_inside=_over_seeds(lambda made: share_inside(self.sessions, made), self.lstm),
            share_below=_over_seeds(lambda made: share_below(self.sessions, made), self.lstm),
            first_minute_ratio=_over_seeds(lambda made: first_minute_ratio(self.sessions, _medians(made)), self.lstm),
        )


def _medians(quantiles: Arrays) -> list[NDArray[np.float32]]:
    median = QUANTILES.index(0.5)
    return [q[:, median :: len(QUANTILES)] for q in quantiles]


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
