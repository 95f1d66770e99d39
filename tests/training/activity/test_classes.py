from __future__ import annotations

import pytest

from training.activity.classes import CLASSES, class_of

EXPECTED = {
    "still": {
        ("dsads", "a01"),
        ("dsads", "a02"),
        ("dsads", "a03"),
        ("dsads", "a04"),
        ("wisdm-watch", "D"),
        ("wisdm-watch", "E"),
    },
    "stairs": {("dsads", "a05"), ("dsads", "a06"), ("wisdm-watch", "C")},
    "walk": {("dsads", "a09"), ("dsads", "a10"), ("dsads", "a11"), ("wisdm-watch", "A")},
    "run": {("dsads", "a12"), ("wisdm-watch", "B")},
    "stepper_or_elliptical": {("dsads", "a13"), ("dsads", "a14")},
    "cycle": {("dsads", "a15"), ("dsads", "a16")},
    "row": {("dsads", "a17")},
    "jump": {("dsads", "a18")},
    "ball_sport": {("dsads", "a19"), ("wisdm-watch", "M"), ("wisdm-watch", "O"), ("wisdm-watch", "P")},
}


@pytest.mark.parametrize("name", CLASSES)
def test_what_counts_as_an_activity(name: str) -> None:
    codes = [("dsads", f"a{n:02d}") for n in range(1, 20)] + [("wisdm-watch", c) for c in "ABCDEFGHIJKLMNOPQRS"]
    assert {code for code in codes if class_of(*code) == CLASSES.index(name)} == EXPECTED[name]


def test_a_ride_in_a_lift_is_left_out() -> None:
    assert class_of("dsads", "a07") is None
    assert class_of("dsads", "a08") is None


def test_own_recordings_name_the_classes_themselves() -> None:
    assert [class_of("neutral", name) for name in CLASSES] == list(range(9))
    assert class_of("neutral", "") is None
    assert class_of("neutral", "yoga") is None
