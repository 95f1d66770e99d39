"""Trains and scores every architecture of the registry on a task."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.bootstrap import interval
from training.machine import processor
from training.zoo import activity, recovery, workout
from training.zoo.architectures import ZOO, Architecture
from training.zoo.macs import macs
from training.zoo.page import PAGE, page
from training.zoo.plots import picture
from training.zoo.problem import Fold, Problem
from training.zoo.protocol import Protocol, Trainer
from training.zoo.results import Comparison, Entry, Form, file_of, read_all

# Task to what makes it of a folder of recordings.
TASKS: Mapping[str, Callable[[Path], Problem]] = {
    "workout": workout.make,
    "recovery": recovery.make,
    "activity": activity.make,
}

# Makes the forms of an architecture with the weights of its last training.
Convert = Callable[[Architecture, Trainer, Problem], list[Form]]


def trainings(problem: Problem, seeds: int) -> int:
    """How many models `compare` trains."""
    return len(ZOO) * len(problem.folds) * seeds


def compare(
    problem: Problem,
    *,
    seeds: int,
    protocol: Protocol,
    convert: Convert,
    on_training: Callable[[str], None] = lambda _: None,
) -> Comparison:
    """Train and score everything in the registry.

    Args:
        problem: the task.
        seeds: how many times each is trained on each fold, from seeds 0, 1, ...
        protocol: the budget of each training.
        convert: makes the forms of a trained architecture.
        on_training: called with the name before each training.
    """
    entries = []
    for architecture in ZOO.values():
        trainer = Trainer(architecture, problem, protocol)
        answers: list[list[NDArray[np.float32]]] = [[] for _ in range(seeds)]
        steps: list[int] = []
        for fold in problem.folds:
            for seed in range(seeds):
                on_training(architecture.name)
                steps.append(trainer.fit(fold, seed))
                answers[seed].append(trainer.predict(fold.scored))
        entry = _score(architecture.name, problem, [np.concatenate(a) for a in answers])
        entries.append(
            msgspec.structs.replace(
                entry,
                view=architecture.view,
                parameters=trainer.model.count_params(),
                macs=macs(trainer.model),
                steps=float(np.mean(steps)),
                forms=convert(architecture, trainer, problem),
            )
        )
    scored = _scored(problem.folds)
    return Comparison(
        task=problem.task,
        title=problem.title,
        figures=list(problem.measure.names),
        unit=problem.measure.unit,
        ascending=problem.measure.ascending,
        people=len(np.unique(problem.person[scored])),
        windows_scored=len(scored),
        notes={**problem.windows, **_budget(problem, protocol, seeds)},
        baselines=[
            _score(name, problem, [np.concatenate([baseline(fold) for fold in problem.folds])])
            for name, baseline in problem.baselines.items()
        ],
        architectures=entries,
        environment=_environment(),
    )


def write(comparison: Comparison, out: Path) -> None:
    """Write a comparison and its picture to a folder, and the page of all the comparisons there."""
    out.mkdir(parents=True, exist_ok=True)
    file_of(out, comparison.task).write_bytes(msgspec.json.format(msgspec.json.encode(comparison)))
    picture(comparison, out)
    (out / PAGE).write_text(page(read_all(out)), encoding="utf-8")


def _scored(folds: Sequence[Fold]) -> NDArray[np.int64]:
    return np.concatenate([fold.scored for fold in folds])


def _score(name: str, problem: Problem, answers: Sequence[NDArray[np.float32]]) -> Entry:
    """Score the answers of each seed to the scored windows of all folds."""
    measure, scored = problem.measure, _scored(problem.folds)
    person = problem.person[scored]
    by_seed = []
    for answer in answers:
        tallies = measure.tallies(problem.target[scored], answer)
        by_seed.append(np.stack([tallies[person == p].sum(axis=0) for p in np.unique(person)]))
    figures = np.array([measure.figures(people.sum(axis=0)) for people in by_seed])
    low, high = interval(np.mean(by_seed, axis=0), measure.figures)
    return Entry(
        name=name,
        figures=figures.mean(axis=0).tolist(),
        low=low.tolist(),
        high=high.tolist(),
        sd=figures.std(axis=0, ddof=1).tolist() if len(answers) > 1 else [],
    )


def _budget(problem: Problem, protocol: Protocol, seeds: int) -> dict[str, str]:
    trained = [len(fold.train) for fold in problem.folds]
    return {
        "budget": f"at most {problem.steps} steps of {protocol.batch} windows; the validation loss is looked at every "
        f"{protocol.check_every} steps, {protocol.patience} looks without a better one end the training, and the best "
        f"weights are kept; Adam from {protocol.learning_rate:g} along half a cosine to zero, gradients clipped at a "
        f"norm of {protocol.clip:g}. The same for all; nothing is tuned for any",
        "repetitions": f"{'1 seed' if seeds == 1 else f'{seeds} seeds'}, {len(trained)} "
        f"{'split' if len(trained) == 1 else 'splits'} by person, {min(trained)} to {max(trained)} windows to learn "
        "from",
    }


def _environment() -> dict[str, str]:
    libraries = ("tensorflow", "keras", "numpy")
    return {
        "processor": processor(),
        "Python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }
