from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from training.zoo.problem import AbsoluteError, MacroF1


def test_absolute_error_is_in_bpm() -> None:
    measure = AbsoluteError((10, 30), (2.0, 5.0))
    target = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    tallies = measure.tallies(target, np.zeros((2, 2), np.float32))
    assert measure.figures(tallies.sum(axis=0)).tolist() == [1.0, 2.5]
    assert measure.names == ("10 s", "30 s")
    assert measure.head().outputs == 2


@pytest.mark.parametrize("seed", range(5))
def test_macro_f1_is_what_scikit_learn_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    measure = MacroF1(("a", "b", "c", "d"))
    true, output = random.integers(3, size=50), random.random((50, 4)).astype(np.float32)
    figure = measure.figures(measure.tallies(true, output).sum(axis=0))
    assert figure[0] == pytest.approx(f1_score(true, output.argmax(axis=1), average="macro", labels=[0, 1, 2]))


def test_figures_of_many_draws_are_made_at_once() -> None:
    measure = MacroF1(("a", "b"))
    sums = np.array([[[3.0, 1.0], [0.0, 2.0]], [[4.0, 0.0], [0.0, 2.0]]])
    assert measure.figures(sums).shape == (2, 1)
    assert measure.figures(sums)[1, 0] == 1.0
