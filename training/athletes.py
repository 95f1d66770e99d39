"""Plays an athlete's sessions as a device would: in the order they were made, learning as it goes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.adaptive import AthleteForecaster
from edge_agent.inference.athlete import new_athlete
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.forecast import QUANTILES, Forecast, WorkoutForecaster
from edge_agent.inference.runtime import Cell
from edge_agent.signals.frame import Frame
from training.alert import Alert, score_alert
from training.dataset import HORIZONS_S, Session, make_session
from training.disturb import disturbed
from training.reference import HIDDEN, LAGS, Reference, ReferenceAthlete

LSTM = "lstm"
MIXTURE = "mixture"
WITH_LOAD = "heart rate and load"
HEART_RATE = "heart rate only"

# Intervals are counted once this much of an athlete has been played: until then the device has had nothing to go by.
SETTLED_S = 600


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """A session with what was forecast in it.

    Attributes:
        session: that was played.
        lstm: quantiles of the change from the model alone, float32 (seconds, horizons x quantiles), NaN where there
            was no forecast.
        mixture: the same from the expert mixture of an athlete who was unknown before the first session.
        before_s: seconds of the athlete that had been played before.
        second_us: median time of one second of the mixture in microseconds.
        references: the same as `mixture` from each of `training.reference`, if they were asked for.
    """

    session: Session
    lstm: NDArray[np.float32]
    mixture: NDArray[np.float32]
    before_s: int
    second_us: float
    references: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def made(self, method: str) -> NDArray[np.float32]:
        """What a method forecast."""
        return {LSTM: self.lstm, MIXTURE: self.mixture, **self.references}[method]


# Inputs, in words, to everybody's sessions as played with them.
Playthrough = Mapping[str, Sequence[Played]]


class Skill(msgspec.Struct, frozen=True):
    """How one forecaster did on one athlete.

    Every second counts whose heart rate is known without a gap until the horizon, from the first one of a session on.

    Attributes:
        method: `lstm`, `mixture` or a reference.
        inputs: what it was given.
        ratios: absolute error over persistence's, by horizon, over all sessions.
        halves: the same over the first and over the second half of the athlete's sessions; NaN where there is none.
        inside: share of outcomes between the outer quantiles (nominal 0.8), by horizon, once `SETTLED_S` of the athlete
            have been played.
    """

    method: str
    inputs: str
    ratios: list[float]
    halves: list[list[float]]
    inside: list[float]


class AthleteScore(msgspec.Struct, frozen=True):
    """One athlete.

    Attributes:
        person: who.
        sessions: that were scored.
        skills: of every forecaster, with load where there is any, and from heart rate alone.
    """

    person: str
    sessions: int
    skills: list[Skill]


class _Forecaster(Protocol):
    def step(self, frame: Frame) -> Forecast: ...


def by_athlete(sessions: Sequence[Session]) -> dict[str, list[Session]]:
    """Each athlete's sessions in the order they were made: by start where a file says it, else by name.

    Returns:
        By person, sorted.
    """
    athletes: dict[str, list[Session]] = {}
    for session in sorted(sessions, key=_when):
        athletes.setdefault(session.recording.person, []).append(session)
    return dict(sorted(athletes.items()))


def _when(session: Session) -> tuple[float, str]:
    started_at = session.recording.started_at
    return (0.0 if started_at is None else started_at.timestamp(), session.recording.session)


def play_everybody(bundle: Bundle, cell: Cell, sessions: Sequence[Session], *, references: bool = False) -> Playthrough:
    """Play everybody's sessions, each athlete unknown at first; once with all sensors, once with the strap alone.

    Args:
        bundle: of the workout model.
        cell: of that bundle.
        sessions: to play.
        references: whether `training.reference` plays them too.
    """
    athletes = list(by_athlete(sessions).values())
    alone = [[strap_alone(s) for s in own] for own in athletes]
    return {
        inputs: [played for own in everybody for played in play(bundle, cell, own, references=references)]
        for inputs, everybody in ((WITH_LOAD, athletes), (HEART_RATE, alone))
    }


def play(bundle: Bundle, cell: Cell, sessions: Sequence[Session], *, references: bool = False) -> list[Played]:
    """Play one athlete's sessions, the first as if nothing were known of the athlete."""
    athlete = new_athlete(bundle.manifest)
    compared = {name: ReferenceAthlete(name) for name in (LAGS, HIDDEN) if references}
    played: list[Played] = []
    before_s = 0
    for session in sessions:
        lstm, _ = forecast(WorkoutForecaster(bundle, cell), session)
        mixture, took_us = forecast(AthleteForecaster(WorkoutForecaster(bundle, cell), athlete), session)
        beside = {
            name: forecast(Reference(WorkoutForecaster(bundle, cell), known), session)[0]
            for name, known in compared.items()
        }
        played.append(Played(session, lstm, mixture, before_s, took_us, beside))
        before_s += len(session.x)
    return played


def forecast(forecaster: _Forecaster, session: Session) -> tuple[NDArray[np.float32], float]:
    """Play one session through a forecaster, frame by frame.

    Returns:
        Quantiles of the change in bpm, (seconds, horizons x quantiles), NaN where there was no forecast, and the median
        time of one second in microseconds.
    """
    values_bpm = np.full((len(session.x), len(HORIZONS_S) * len(QUANTILES)), np.nan, np.float32)
    took_ns = []
    for second, frame in enumerate(session.recording.frames()):
        start_ns = time.perf_counter_ns()
        made = forecaster.step(frame)
        took_ns.append(time.perf_counter_ns() - start_ns)
        quantiles = [made[horizon_s] for horizon_s in HORIZONS_S]
        if None not in quantiles:
            values_bpm[second] = [v for q in quantiles if q is not None for v in (q.q10, q.q50, q.q90)]
    return values_bpm - session.anchor_bpm[:, None], float(np.median(took_ns)) / 1000


def strap_alone(session: Session) -> Session:
    """The session as a strap without any other sensor would have recorded it."""
    channels = {"heart_rate_bpm": session.recording.channels["heart_rate_bpm"]}
    return make_session(dataclasses.replace(session.recording, channels=channels))


def only(playthrough: Playthrough, keys: Collection[tuple[str, str, str]]) -> Playthrough:
    """The sessions of these keys, as they were played among the others."""
    return {inputs: [p for p in played if p.session.key in keys] for inputs, played in playthrough.items()}


def score_athletes(playthrough: Playthrough) -> list[AthleteScore]:
    """Score everybody; with load only where a session has any."""
    scores = []
    for person in dict.fromkeys(p.session.recording.person for p in playthrough[HEART_RATE]):
        own = {
            inputs: [p for p in played if p.session.recording.person == person]
            for inputs, played in playthrough.items()
        }
        if all(len(p.session.recording.channels) == 1 for p in own[WITH_LOAD]):
            del own[WITH_LOAD]
        skills = [
            skill(played, method, inputs)
            for inputs, played in own.items()
            for method in (*played[0].references, LSTM, MIXTURE)
        ]
        scores.append(AthleteScore(person, len(own[HEART_RATE]), skills))
    return scores


def score_disturbed(bundle: Bundle, cell: Cell, sessions: Sequence[Session]) -> list[AthleteScore]:
    """Score everybody who has sessions enough, the sessions made strange in several ways."""
    scores = []
    for person, own in by_athlete(sessions).items():
        for kind, spoiled in disturbed(own, seed=0).items():
            (score,) = score_athletes(play_everybody(bundle, cell, spoiled, references=True))
            scores.append(msgspec.structs.replace(score, person=f"{person}, {kind}"))
    return scores


def score_alerts(playthrough: Playthrough, thresholds_bpm: Mapping[str, float]) -> list[Alert]:
    """Score the alert made from each forecaster, beside the plain one that the LSTM's median gives.

    Args:
        playthrough: sessions to score.
        thresholds_bpm: by person.
    """
    scored = []
    for inputs in (HEART_RATE, WITH_LOAD):
        played = playthrough[inputs]
        sessions, lstm, mixture = ([p.session for p in played], [p.lstm for p in played], [p.mixture for p in played])
        scored += [
            score_alert(f"{LSTM}'s median, {inputs}", sessions, lstm, thresholds_bpm, median_alone=True),
            score_alert(f"{LSTM}, {inputs}", sessions, lstm, thresholds_bpm),
            score_alert(f"{MIXTURE}, {inputs}", sessions, mixture, thresholds_bpm),
        ]
    return scored


def skill(played: Sequence[Played], method: str, inputs: str) -> Skill:
    """Score one athlete's sessions, in the order they were played."""
    errors, changes, inside, settled = [], [], [], []
    for p in played:
        q = p.made(method).reshape(len(p.session.x), len(HORIZONS_S), len(QUANTILES))
        change_bpm = p.session.change_bpm
        errors.append(np.nansum(np.abs(change_bpm - q[..., 1]), axis=0))
        changes.append(np.nansum(np.abs(change_bpm), axis=0))
        late = ~np.isnan(change_bpm + q[..., 0]) & (np.arange(len(change_bpm)) + p.before_s >= SETTLED_S)[:, None]
        inside.append(((q[..., 0] <= change_bpm) & (change_bpm <= q[..., -1]) & late).sum(axis=0))
        settled.append(late.sum(axis=0))
    half = len(played) // 2
    return Skill(
        method=method,
        inputs=inputs,
        ratios=_ratio(errors, changes),
        halves=[_ratio(errors[:half], changes[:half]), _ratio(errors[half:], changes[half:])],
        inside=_ratio(inside, settled),
    )


def _ratio(over: Sequence[NDArray[np.generic]], under: Sequence[NDArray[np.generic]]) -> list[float]:
    total = np.sum([np.zeros(len(HORIZONS_S)), *under], axis=0)
    ratio = np.sum([np.zeros(len(HORIZONS_S)), *over], axis=0) / np.where(total > 0, total, np.nan)
    return list(map(float, ratio))
