"""The rule: of the forms that hold within their budget, the most exact of those that are as fast as the fastest."""

from __future__ import annotations

import dataclasses

import pytest

from converters.choose import failing, winners
from converters.verify import Comparison, Deviation
from edge_agent.inference.bundle import Calibration, Interface, StreamingCell, WindowClassifier

CELL = StreamingCell("workout-1", ("a", "b"), 8, (10,), (0.1, 0.5, 0.9))
CLASSIFIER = WindowClassifier("activity-1", ("x",), 125, 25.0, ("a", "b"), {"wrist": Calibration(1.0, 0.5)})


def off(mean: float, *, largest: float = 0.0, agreement: float = 1.0) -> Deviation:
    return Deviation(largest or mean, mean, mean, 40.0, agreement)


def form(recipe: str, us: float, mean: float, *, runtime: str = "ai-edge-litert", model_bytes: int = 100) -> Comparison:
    return Comparison(recipe, runtime, "", model_bytes, {}, off(mean), None, (), us, us, us, 40.0)


CHOICES = {
    "speed alone wins where the others are far slower": (
        [form("float32", 9.0, 0.0), form("full_int8", 5.0, 0.05)],
        "full_int8",
        "the fastest of 2",
    ),
    "exactness wins where another is about as fast": (
        [form("float32", 5.0, 0.0), form("dynamic_wi8_afp32", 4.0, 0.05)],
        "float32",
        "as fast (5.0 µs) as the fastest, dynamic_wi8_afp32 (4.0 µs)",
    ),
    "the smaller file wins where both are as exact": (
        [form("float32", 5.0, 0.01, model_bytes=200), form("float16", 5.1, 0.01)],
        "float16",
        "the most exact of the 2",
    ),
    "one form alone wins": ([form("float16", 5.0, 0.01)], "float16", "the fastest of 1"),
}


@pytest.mark.parametrize("case", CHOICES)
def test_the_winner(case: str) -> None:
    held, recipe, why = CHOICES[case]
    (winner,) = winners(held)
    assert winner.comparison.recipe == recipe
    assert why in winner.why


def test_each_runtime_has_its_own_winner() -> None:
    held = [
        form("float32", 8.0, 0.0, runtime="tflite-runtime"),
        form("full_int8", 50.0, 0.05, runtime="tflite-runtime"),
        form("float32", 8.0, 0.0),
        form("full_int8", 5.0, 0.05),
    ]
    chosen = [(w.comparison.runtime, w.comparison.recipe) for w in winners(held)]
    assert chosen == [("tflite-runtime", "float32"), ("ai-edge-litert", "full_int8")]


BUDGETS = {
    "a form above the budget does not win, however fast": (
        [form("float32", 5.0, 0.0, model_bytes=121_000), form("full_int8", 50.0, 0.05, model_bytes=47_000)],
        "full_int8",
        "the fastest of 1 that hold within 60 kB",
    ),
    "where none is within the budget, the rule is as without one": (
        [form("float32", 5.0, 0.0, model_bytes=121_000), form("full_int8", 50.0, 0.05, model_bytes=61_000)],
        "float32",
        "the fastest of 2 that hold (5.0 µs)",
    ),
}


@pytest.mark.parametrize("case", BUDGETS)
def test_a_budget_of_bytes(case: str) -> None:
    held, recipe, why = BUDGETS[case]
    (winner,) = winners(held, budget_bytes=60_000)
    assert winner.comparison.recipe == recipe
    assert why in winner.why


def test_where_nothing_holds_nothing_wins() -> None:
    assert winners([]) == []


FAILS: dict[str, tuple[Interface, Deviation, tuple[float, ...], tuple[float, ...], str]] = {
    "a forecast that strays in the mean": (CELL, off(0.11), (), (), "0.110 bpm off in the mean, 0.1 allowed"),
    "a forecast that strays once": (CELL, off(0.01, largest=2.1), (), (), "2.1 bpm off at most, 2 allowed"),
    "a forecast that is worse": (CELL, off(0.01), (1.0, 2.03), (1.0, 2.0), "scores 2.030 where the float model scores"),
    "a class that is another one": (CLASSIFIER, off(3.0, agreement=0.98), (0.9,), (0.9,), "98.0%, 99% asked"),
    "a classifier that is worse": (CLASSIFIER, off(3.0), (0.88,), (0.9,), "scores 0.880 where the float model"),
    "a deviation that is not a number": (CELL, off(float("nan")), (), (), "nan bpm off in the mean"),
}


@pytest.mark.parametrize("case", FAILS)
def test_a_form_does_not_hold(case: str) -> None:
    interface, deviation, scores, float_scores, reason = FAILS[case]
    comparison = dataclasses.replace(form("full_int8", 5.0, 0.0), golden=deviation, test=deviation, scores=scores)
    found = failing(comparison, interface, float_scores)
    assert found is not None
    assert reason in found


def test_a_form_that_is_close_holds() -> None:
    better = dataclasses.replace(form("float16", 5.0, 0.05), test=off(0.1, largest=2.0), scores=(0.99, 2.01))
    assert failing(better, CELL, (1.0, 2.0)) is None
    wide = dataclasses.replace(form("full_int8", 5.0, 3.0), test=off(3.0, agreement=0.99), scores=(0.895,))
    assert failing(wide, CLASSIFIER, (0.9,)) is None
