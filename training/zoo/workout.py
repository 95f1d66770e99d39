"""Heart rate 10, 30 and 60 s ahead, from the last minute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.features import FEATURE_NAMES
from training.baselines import ridge
from training.dataset import HISTORY_S, HORIZONS_S, Session, load
from training.errors import TrainingError
from training.splits import by_person
from training.workout.model import SCALE_BPM
from training.zoo.problem import AbsoluteError, Fold, Problem
from training.zoo.views import SEQUENCE, SPECTROGRAM, TEN_BY_TEN, spectrogram, ten_steps

WINDOW_S = 60
# The columns of the feature contract that say what a second was; its lags and means are left for the networks to find.
_COLUMNS = (
    "heart_rate",
    "speed_present",
    "speed",
    "climb",
    "grade",
    "cadence_present",
    "cadence",
    "power_present",
    "power",
)
_SINCE_SCALE_BPM = 10.0

# Origins a second apart are nearly the same, and the one with most recordings shall not count for more than the others.
ORIGINS_PER_PERSON = 3000

_STEPS = 300


def make(folder: Path) -> Problem:
    """The task on the recordings of a folder.

    Raises:
        TrainingError: there are too few people or sessions to leave anybody out.
    """
    sessions = load(folder).sessions
    origins = _origins(sessions)
    session_of = np.repeat(np.arange(len(sessions)), [len(o) for o in origins])
    sequence = np.concatenate([_windows(s, o) for s, o in zip(sessions, origins, strict=True)])
    target = np.concatenate([s.change_bpm[o] for s, o in zip(sessions, origins, strict=True)]) / np.array(SCALE_BPM)
    place = {s.key: i for i, s in enumerate(sessions)}

    def windows_of(chosen: Sequence[Session]) -> NDArray[np.int64]:
        return np.flatnonzero(np.isin(session_of, [place[s.key] for s in chosen]))

    folds = [
        Fold(windows_of(split.train), windows_of(split.validation), windows_of(split.scored))
        for split in by_person(sessions)
    ]
    folds = [f for f in folds if f.train.size and f.validation.size and f.scored.size]
    if not folds:
        msg = (
            f"{folder}: nobody can be left out and enough sessions be left to train on; give recordings of more people"
        )
        raise TrainingError(msg)
    person = np.array([sessions[i].recording.person for i in session_of])

    def linear(fold: Fold) -> NDArray[np.float32]:
        fitted = np.concatenate([fold.train, fold.validation])
        rows = sequence.reshape(len(sequence), -1)
        return np.asarray(ridge().fit(rows[fitted], target[fitted]).predict(rows[fold.scored]), np.float32)

    return Problem(
        task="workout",
        title="heart rate 10, 30 and 60 s ahead, people left out in turn",
        inputs={
            SEQUENCE: sequence,
            TEN_BY_TEN: np.stack([stretch.mean(axis=1) for stretch in ten_steps(sequence)], axis=1),
            SPECTROGRAM: spectrogram(sequence[..., 0]),
        },
        target=target.astype(np.float32),
        person=person,
        folds=folds,
        measure=AbsoluteError(HORIZONS_S, SCALE_BPM),
        baselines={
            "last value": lambda fold: np.zeros_like(target[fold.scored], np.float32),
            "ridge on the window": linear,
        },
        steps=_STEPS,
        windows={
            "window": f"the last {WINDOW_S} s at 1 Hz of 10 channels: heart rate relative to now, and heart rate, "
            "speed, climb, grade, cadence and power with their presence, as the feature contract has them",
            "origins": f"{HISTORY_S} s of heart rate lie behind them and all three horizons are known; at most "
            f"{ORIGINS_PER_PERSON} of each person, evenly spread over all sessions",
            "target": "the change of heart rate from now, trained for its absolute error",
            TEN_BY_TEN: "the 10 channels, each step the mean of 6 s",
            SPECTROGRAM: "of heart rate alone; it knows how fast heart rate moves, but not whether it rises or falls",
        },
    )


def _origins(sessions: Sequence[Session]) -> list[NDArray[np.int64]]:
    """Seconds of each session that a window ends at."""
    all_scored = [np.flatnonzero(s.scored.all(axis=1)) for s in sessions]
    total: dict[str, int] = {}
    for session, scored in zip(sessions, all_scored, strict=True):
        total[session.recording.person] = total.get(session.recording.person, 0) + len(scored)
    return [
        scored[:: max(-(-total[session.recording.person] // ORIGINS_PER_PERSON), 1)]
        for session, scored in zip(sessions, all_scored, strict=True)
    ]


def _windows(session: Session, origins: NDArray[np.int64]) -> NDArray[np.float32]:
    """Windows that end at the origins, (origins, `WINDOW_S`, channels)."""
    seconds = origins[:, None] + np.arange(1 - WINDOW_S, 1)
    heart_rate_bpm = session.anchor_bpm[seconds]
    since = (heart_rate_bpm - session.anchor_bpm[origins][:, None]) / _SINCE_SCALE_BPM
    columns = session.x[seconds][..., [FEATURE_NAMES.index(name) for name in _COLUMNS]]
    return np.asarray(np.concatenate([since[..., None], columns], axis=-1), np.float32)
