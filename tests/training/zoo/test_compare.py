from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from keras import layers

from training.errors import TrainingError
from training.zoo import compare as module
from training.zoo.architectures import ZOO, Architecture, Head
from training.zoo.compare import compare, trainings, write
from training.zoo.page import PAGE, page
from training.zoo.problem import AbsoluteError, Fold, MacroF1, Problem
from training.zoo.protocol import Protocol, Trainer
from training.zoo.results import Comparison, Form, Timing, read_all
from training.zoo.views import SEQUENCE

PROTOCOL = Protocol(check_every=20, patience=4, batch=32, learning_rate=3e-2)


def direct(x: Any, head: Head) -> Any:  # noqa: ANN401
    """The whole window in one dense layer."""
    return head(layers.Flatten()(x))


def last_step(x: Any, head: Head) -> Any:  # noqa: ANN401
    return head(layers.Flatten()(x[:, -1:]))


@pytest.fixture(scope="module")
def problem() -> Problem:
    """The change to come is the mean of the window: everything that sees all of it can learn that."""
    random = np.random.default_rng(5)
    sequence = random.normal(size=(400, 8, 2)).astype(np.float32)
    target = np.stack([sequence[..., 0].mean(axis=1), sequence[..., 1].mean(axis=1)], axis=1)
    person = np.repeat(["ann", "bob", "cai", "dee"], 100)
    everybody = np.arange(400)
    folds = []
    for scored in ("ann", "bob"):
        rest = everybody[person != scored]
        folds.append(Fold(rest[rest % 5 > 0], rest[rest % 5 == 0], everybody[person == scored]))
    return Problem(
        task="made-up",
        title="the mean of the window",
        inputs={SEQUENCE: sequence},
        target=target,
        person=person,
        folds=folds,
        measure=AbsoluteError((10, 20), (2.0, 4.0)),
        baselines={"last value": lambda fold: np.zeros((len(fold.scored), 2), np.float32)},
        steps=120,
        windows={"window": "made up"},
    )


@pytest.fixture(scope="module")
def zoo() -> Iterator[None]:
    """A registry of two, the second of which was added with one function and one line."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(ZOO):
            patch.delitem(ZOO, name)
        patch.setitem(ZOO, "last-step", Architecture(last_step))
        patch.setitem(ZOO, "direct", Architecture(direct))
        yield


def convert(architecture: Architecture, trainer: Trainer, problem: Problem) -> list[Form]:
    assert trainer.model.name == architecture.name
    assert problem.task == "made-up"
    return [
        Form("float32", 1000, {"ai-edge-litert": Timing(2.0, 1.9, 2.2), "tflite-runtime": Timing(3.0, 3.0, 3.3)}, {}),
        Form(
            "dynamic_wi8_afp32",
            600,
            {"ai-edge-litert": Timing(1.5, 1.5, 1.5)},
            {"tflite-runtime": "it needs FULLY_CONNECTED 12"},
        ),
        Form("full_int8", None, {}, {"any": "the converter crashes on a loop"}),
    ]


@pytest.fixture(scope="module")
def comparison(problem: Problem, zoo: None) -> Comparison:
    assert zoo is None
    return compare(problem, seeds=2, protocol=PROTOCOL, convert=convert)


def test_a_new_architecture_is_trained_scored_and_shown(comparison: Comparison, tmp_path: Path) -> None:
    last, whole = comparison.architectures
    assert (last.name, whole.name) == ("last-step", "direct")
    assert whole.parameters == 16 * 2 + 2
    assert whole.macs == 16 * 2
    (baseline,) = comparison.baselines
    for i in range(2):
        assert whole.figures[i] < 0.3 * baseline.figures[i]
        assert whole.figures[i] < last.figures[i]
        assert whole.low[i] <= whole.figures[i] <= whole.high[i]
    assert len(whole.sd) == 2
    write(comparison, tmp_path)
    assert (tmp_path / "zoo-made-up.png").read_bytes().startswith(b"\x89PNG")
    assert "| direct |" in (tmp_path / PAGE).read_text(encoding="utf-8")
    assert read_all(tmp_path) == [comparison]


def test_only_people_who_are_left_out_are_scored(comparison: Comparison) -> None:
    assert comparison.people == 2
    assert comparison.windows_scored == 200


def test_the_table_shows_each_form_or_why_there_is_none(comparison: Comparison) -> None:
    text = page([comparison])
    row = next(line for line in text.splitlines() if line.startswith("| direct |"))
    assert "| 1 kB, 2 / 3 µs | 0.6 kB, 1.5 / [1] µs | [2] |" in row
    assert "1. it needs FULLY_CONNECTED 12" in text
    assert "2. the converter crashes on a loop" in text
    assert "| 2 of 3 |" in row
    assert "- **window**: made up" in text


def test_the_first_line_says_where_a_baseline_is_better(comparison: Comparison) -> None:
    worse = msgspec.structs.replace(comparison.architectures[0], figures=[9.0, 0.1])
    text = page([msgspec.structs.replace(comparison, architectures=[worse])])
    assert "**At this budget, no architecture beats the best baseline at 10 s (last-step 9.00, last value " in text
    assert "Best, beside the best baseline: 20 s (last-step 0.100, last value " in text


def test_every_training_is_announced(problem: Problem, zoo: None) -> None:
    assert zoo is None
    seen: list[str] = []
    compare(
        dataclasses.replace(problem, steps=2),
        seeds=1,
        protocol=Protocol(check_every=1),
        convert=lambda *_: [],
        on_training=seen.append,
    )
    assert seen == ["last-step"] * 2 + ["direct"] * 2
    assert trainings(problem, 1) == 4


def test_the_same_seed_gives_the_same_answers_and_another_one_others(problem: Problem) -> None:
    fold = problem.folds[0]

    def answers(seeds: list[int]) -> np.ndarray[Any, Any]:
        trainer = Trainer(Architecture(direct), dataclasses.replace(problem, steps=20), Protocol(check_every=5))
        for seed in seeds:
            trainer.fit(fold, seed)
        return trainer.predict(fold.scored)

    np.testing.assert_array_equal(answers([1]), answers([0, 1]))
    assert not np.array_equal(answers([1]), answers([2]))


def test_training_ends_when_validation_no_longer_gets_better(problem: Problem) -> None:
    protocol = Protocol(check_every=10, patience=3, batch=32)
    trainer = Trainer(Architecture(direct), dataclasses.replace(problem, steps=4000), protocol)
    assert trainer.fit(problem.folds[0], 0) < 4000


def test_classes_are_learned_too(problem: Problem) -> None:
    target = (problem.inputs[SEQUENCE][:, -1, 0] > 0).astype(np.int64)
    classes = Problem(
        task="sign",
        title="whether the last value is above 0",
        inputs=problem.inputs,
        target=target,
        person=problem.person,
        folds=problem.folds,
        measure=MacroF1(("below", "above")),
        baselines={},
        steps=120,
        windows={},
    )
    trainer = Trainer(Architecture(last_step), classes, PROTOCOL)
    trainer.fit(classes.folds[0], 0)
    answers = trainer.predict(classes.folds[0].scored)
    figure = classes.measure.figures(classes.measure.tallies(target[classes.folds[0].scored], answers).sum(axis=0))
    assert figure[0] > 0.9


def test_a_damaged_comparison_is_named(tmp_path: Path) -> None:
    (tmp_path / "zoo-workout.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TrainingError, match=r"zoo-workout\.json"):
        read_all(tmp_path)


def test_every_task_of_the_product_can_be_compared() -> None:
    assert set(module.TASKS) == {"workout", "recovery", "activity"}
