from __future__ import annotations

import numpy as np
import pytest

from training.activity.dataset import Session
from training.activity.folds import folds
from training.errors import TrainingError


def people(source: str, count: int) -> list[Session]:
    signal = np.zeros((125, 3), np.float32)
    return [Session(source, f"{i:02d}", "one", "wrist", "walk", 1, signal) for i in range(count) for _ in range(2)]


def test_few_people_are_left_out_one_by_one_and_many_in_five_groups() -> None:
    found = folds(people("dsads", 6) + people("wisdm-watch", 38))
    assert len(found) == 6
    assert [sum(p.startswith("dsads") for p in fold) for fold in found] == [1] * 6
    assert [sum(p.startswith("wisdm") for p in fold) for fold in found] == [8, 8, 8, 7, 7, 0]


def test_everybody_is_left_out_exactly_once() -> None:
    sessions = people("dsads", 6) + people("wisdm-watch", 38)
    left_out = [person for fold in folds(sessions) for person in fold]
    assert sorted(left_out) == sorted({s.group for s in sessions})


def test_one_person_is_too_few() -> None:
    with pytest.raises(TrainingError, match="several people"):
        folds(people("dsads", 1))
