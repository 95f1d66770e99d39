"""All that is measured, as one value; pictures and report are made from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.activity import Smoother, probabilities
from edge_agent.inference.bundle import Calibration
from training.activity.cadence import CadenceError
from training.activity.calibrate import Trust, calibrate, trust
from training.activity.crossval import Fold, Part, answers, fit_forests, majority_answers, parts
from training.activity.dataset import Windows
from training.activity.disturb import ANGLES_DEG, AXES, DISTURBANCES, turned
from training.activity.scores import by_group, confusion, gain_interval, macro_f1

Labels = NDArray[np.int64]
Acceleration = NDArray[np.float32]

_EVERY = 8

MAJORITY, FOREST, CNN, SMOOTHED = "majority", "random forest", "CNN", "CNN, smoothed over time"


@dataclass(frozen=True, slots=True)
class Score:
    """How well a method does on a part, over people it has not seen.

    Attributes:
        part: data set and placement.
        method: what is scored.
        macro_f1: over all windows of the part, the mean over seeds.
        spread: standard deviation over seeds; 0 of a method with one.
        mean_person: mean over people of each one's macro-F1.
        by_person: macro-F1 of each person, the mean over seeds.
    """

    part: str
    method: str
    macro_f1: float
    spread: float
    mean_person: float
    by_person: dict[str, float]


@dataclass(frozen=True, slots=True)
class PartResult:
    """What is known of a part.

    Attributes:
        part: data set and placement.
        people: how many.
        windows: how many.
        scores: every method's.
        gain_interval: 95 % bootstrap interval over people of the CNN's macro-F1 above the forest's.
        confusion: windows by true and recognised class, over all seeds.
        trust: how far its probabilities can be trusted.
        rotation: macro-F1 by angle about each axis of the sensor, the CNN's.
        rotation_forest: the forest's.
        disturbed: macro-F1 of CNN and forest by what is wrong with the sensor.
    """

    part: str
    people: int
    windows: int
    scores: list[Score]
    gain_interval: tuple[float, float]
    confusion: list[list[int]]
    trust: Trust
    rotation: dict[str, list[float]]
    rotation_forest: dict[str, list[float]]
    disturbed: dict[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Results:
    """What a run measured.

    Attributes:
        parts: each data set at each placement.
        calibration: by placement.
        cadence: errors of the cadence.
        parameters: of the network.
        macs: multiplications for one window.
        sources: data sets.
        left_out: recordings that were not used, one sentence each.
        environment: what it ran on.
    """

    parts: list[PartResult]
    calibration: dict[str, Calibration]
    cadence: list[CadenceError]
    parameters: int
    macs: int
    sources: list[str]
    left_out: list[str]
    environment: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Answers on people not seen.

    Attributes:
        windows: that were answered.
        logits: by seed, each (windows, classes).
        calibration: by placement.
    """

    windows: Windows
    logits: list[NDArray[np.float32]]
    calibration: Mapping[str, Calibration]


def said_by(folds: list[Fold], windows: Windows, seeds: int) -> Said:
    """What the networks say of people they have not seen, and the calibration that this asks for."""
    found = [answers(folds, windows, seed) for seed in range(seeds)]
    calibration = {}
    for placement in sorted(set(windows.placement.tolist())):
        here = windows.placement == placement
        calibration[placement] = calibrate(
            np.concatenate([said[here] for said in found]), np.tile(windows.label[here], seeds)
        )
    return Said(windows, found, calibration)


def score_parts(folds: list[Fold], said: Said) -> list[PartResult]:
    """Score every method on every part."""
    people = [fold.people for fold in folds]
    return [_part(part, folds, said, people) for part in parts(said.windows)]


def _part(
    part: Part,
    folds: list[Fold],
    said: Said,
    people: list[frozenset[str]],
) -> PartResult:
    mine = part.of(said.windows)
    windows = said.windows.where(mine)
    forests = fit_forests(said.windows, part, people)
    calibration = said.calibration[part.placement]
    said_by_seed = [answer[mine] for answer in said.logits]
    cnn = [answer.argmax(axis=1) for answer in said_by_seed]
    baseline = forests.answers(windows)
    methods: dict[str, list[Labels]] = {
        MAJORITY: [majority_answers(windows, people)],
        FOREST: [baseline],
        CNN: cnn,
        SMOOTHED: [_smoothed(answer, windows, calibration) for answer in said_by_seed],
    }
    return PartResult(
        part=str(part),
        people=len(set(windows.group.tolist())),
        windows=len(windows),
        scores=[_score(part, name, windows, predicted) for name, predicted in methods.items()],
        gain_interval=gain_interval(windows.label, windows.group, cnn, baseline),
        confusion=np.sum([confusion(windows.label, p) for p in cnn], axis=0).tolist(),
        trust=trust(np.concatenate(said_by_seed), np.tile(windows.label, len(cnn)), calibration),
        rotation=_rotation(windows, lambda changed: _first_seed(folds, changed)),
        rotation_forest=_rotation(windows, forests.answers),
        disturbed={
            name: (
                _changed(windows, change, lambda w: _first_seed(folds, w)),
                _changed(windows, change, forests.answers),
            )
            for name, change in DISTURBANCES.items()
        },
    )


def _score(part: Part, method: str, windows: Windows, predicted: list[Labels]) -> Score:
    values = [macro_f1(windows.label, p) for p in predicted]
    people = [by_group(windows.label, p, windows.group) for p in predicted]
    by_person = {person: float(np.mean([one[person] for one in people])) for person in people[0]}
    return Score(
        str(part),
        method,
        float(np.mean(values)),
        float(np.std(values)),
        float(np.mean(list(by_person.values()))),
        by_person,
    )


def _smoothed(said: NDArray[np.float32], windows: Windows, calibration: Calibration) -> Labels:
    likely = probabilities(said, calibration)
    predicted = np.empty(len(windows), np.int64)
    for session in np.unique(windows.session):
        mine = np.flatnonzero(windows.session == session)
        smoother = Smoother(likely.shape[1])
        predicted[mine] = [int(smoother.step(window).argmax()) for window in likely[mine]]
    return predicted


def _first_seed(folds: list[Fold], windows: Windows) -> Labels:
    return np.asarray(answers(folds, windows, seed=0).argmax(axis=1))


def _rotation(windows: Windows, answer: Callable[[Windows], Labels]) -> dict[str, list[float]]:
    """Macro-F1 by angle about each axis."""
    return {
        axis: [_changed(windows, lambda x, a=axis, d=angle: turned(x, a, d), answer) for angle in ANGLES_DEG]  # type: ignore[misc]
        for axis in AXES
    }


def _changed(
    windows: Windows, change: Callable[[Acceleration], Acceleration], answer: Callable[[Windows], Labels]
) -> float:
    """Macro-F1 on every eighth window, as another sensor would have recorded it."""
    some = windows.where(np.arange(len(windows)) % _EVERY == 0)
    return macro_f1(some.label, answer(replace(some, acceleration_mps2=change(some.acceleration_mps2))))
