from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from training.activity.scores import by_group, confusion, gain_interval, macro_f1


def test_macro_f1_is_the_mean_over_the_classes_that_were_done() -> None:
    rng = np.random.default_rng(0)
    label = rng.integers(0, 5, 400)
    predicted = np.where(rng.random(400) < 0.7, label, rng.integers(0, 9, 400))
    expected = f1_score(label, predicted, labels=np.unique(label), average="macro")
    assert macro_f1(label, predicted) == pytest.approx(expected)
    assert confusion(label, predicted).sum() == 400


def test_each_person_has_a_score() -> None:
    label = np.array([0, 1, 0, 1])
    group = np.array(["ada", "ada", "ben", "ben"])
    assert by_group(label, np.array([0, 1, 1, 0]), group) == {"ada": 1.0, "ben": 0.0}


def test_a_gain_that_everybody_has_lies_above_zero_and_one_by_chance_does_not() -> None:
    rng = np.random.default_rng(1)
    label = rng.integers(0, 9, 3000)
    group = np.repeat([f"p{i}" for i in range(10)], 300)
    worse = np.where(rng.random(3000) < 0.8, label, rng.integers(0, 9, 3000))
    better = np.where(rng.random(3000) < 0.9, label, rng.integers(0, 9, 3000))
    alike = np.where(rng.random(3000) < 0.8, label, rng.integers(0, 9, 3000))
    low, high = gain_interval(label, group, [better, better], worse)
    assert 0 < low < macro_f1(label, better) - macro_f1(label, worse) < high
    low, high = gain_interval(label, group, [alike], worse)
    assert low < 0 < high
