"""What each task's model is fed with, what it is scored on, and how its card begins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.verify import Array, TestSet
from edge_agent.inference.forecast import QUANTILES
from edge_agent.recordings.read import read_recordings
from edge_agent.signals import acceleration, features, recovery
from training.activity.crossval import parts
from training.activity.dataset import load as load_acceleration
from training.activity.golden import golden_windows
from training.activity.scores import macro_f1
from training.dataset import HORIZONS_S, load
from training.golden import golden_frames
from training.recovery.baselines import changes_bpm
from training.recovery.dataset import ORIGIN_S, all_recoveries
from training.recovery.golden import golden_vectors
from training.scores import mae_bpm
from training.splits import by_session

_MEDIANS = slice(QUANTILES.index(0.5), None, len(QUANTILES))


@dataclass(frozen=True, slots=True)
class Task:
    """A task that an agent of this version runs.

    Attributes:
        contract: of its inputs.
        inputs: names of its features or channels, in order.
        sequence: so many made-up inputs, float32 (inputs, *input shape), on which every form is compared.
        golden: how many of them a bundle carries.
        test_set: recordings to score on, from a folder of them.
        forecasts: what its model does, for the card.
        compared_on: what `sequence` is, for the card.
    """

    contract: str
    inputs: tuple[str, ...]
    sequence: Callable[[int], Array]
    golden: int
    test_set: Callable[[Path], TestSet]
    forecasts: str
    compared_on: str


def _workout(seconds: int) -> Array:
    return features.feature_matrix(golden_frames(seconds))[0]


def _workout_test(folder: Path) -> TestSet:
    """The sessions that training keeps back: those of the published test where there are some."""
    dataset = load(folder)
    sessions = dataset.published_test or by_session(dataset.sessions).scored
    # The device zeroes the state where a session restarts.
    parts = [np.split(s.x, np.flatnonzero(s.restarted[1:]) + 1) for s in sessions]

    def score(answers: Sequence[Array]) -> list[float]:
        left = iter(answers)
        return mae_bpm(sessions, [np.concatenate([next(left) for _ in own])[:, _MEDIANS] for own in parts])

    seconds = sum(len(s.x) for s in sessions)
    return TestSet(
        f"{len(sessions)} sessions kept back from training, {seconds} s",
        [part for own in parts for part in own],
        tuple(f"error at {h} s (bpm)" for h in HORIZONS_S),
        score,
    )


def _recovery_test(folder: Path) -> TestSet:
    """The recorded recoveries that training scores: of sources of several people, with known outcomes."""
    recordings, _ = read_recordings(folder)
    whole = [r for r in all_recoveries(recordings) if r.known[ORIGIN_S - 1] and not np.isnan(r.outcome_bpm).any()]
    people: dict[str, set[str]] = {}
    for r in whole:
        people.setdefault(r.recording.source, set()).add(r.recording.person)
    found = [r for r in whole if len(people[r.recording.source]) > 1]
    changes = changes_bpm(found)

    def score(answers: Sequence[Array]) -> list[float]:
        at_origin = [a[np.count_nonzero(r.known[:ORIGIN_S]) - 1, _MEDIANS] for a, r in zip(answers, found, strict=True)]
        return [float(error) for error in np.abs(np.array(at_origin) - changes).mean(axis=0)]

    return TestSet(
        f"{len(found)} recorded recoveries, forecast {ORIGIN_S} s after the stop",
        [r.x[r.known] for r in found],
        tuple(f"error at {h} s (bpm)" for h in recovery.HORIZONS_S),
        score,
    )


def _activity_test(folder: Path) -> TestSet:
    """All labelled windows: what is compared is the forms, on people that the model was trained on."""
    windows = load_acceleration(folder).windows

    def score(answers: Sequence[Array]) -> list[float]:
        (logits,) = answers
        said = logits.argmax(axis=1)
        return [macro_f1(windows.label[part.of(windows)], said[part.of(windows)]) for part in parts(windows)]

    return TestSet(
        f"{len(windows)} windows of {len(set(windows.group.tolist()))} people, who trained it too",
        [acceleration.view(windows.acceleration_mps2, windows.placement)],
        tuple(f"macro-F1 on {part}" for part in parts(windows)),
        score,
    )


TASKS = {
    "workout": Task(
        features.CONTRACT,
        features.FEATURE_NAMES,
        _workout,
        160,
        _workout_test,
        "once a second, from heart rate and whatever of speed, altitude, cadence and power is there",
        "a made-up two-hour session in which every sensor goes missing in turn",
    ),
    "recovery": Task(
        recovery.CONTRACT,
        recovery.FEATURE_NAMES,
        golden_vectors,
        160,
        _recovery_test,
        "after the stop of an effort, once a second from there on, from heart rate and load where there is one",
        "two hours of simulated people's recoveries",
    ),
    "activity": Task(
        acceleration.CONTRACT,
        acceleration.CHANNELS,
        golden_windows,
        16,
        _activity_test,
        "every five seconds, from acceleration at chest or wrist",
        "made-up windows of every strength and pace of movement",
    ),
}
