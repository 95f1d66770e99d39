"""Terms let a linear head follow a curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.inference.terms import TERMS, terms
from edge_agent.signals.features import FEATURE_NAMES, GROUPS

_AT = FEATURE_NAMES.index


def features(**values: float) -> NDArray[np.float64]:
    """All sensors are there, and everything that is not named is at its centre."""
    x = np.zeros(len(FEATURE_NAMES))
    x[[columns.start for columns in GROUPS.values()]] = 1.0
    for name, value in values.items():
        x[_AT(name)] = value
    return x


@given(st.lists(st.floats(-6, 6), min_size=len(FEATURE_NAMES), max_size=len(FEATURE_NAMES)))
def test_every_second_has_terms_and_they_are_bounded(values: list[float]) -> None:
    made = terms(np.array(values))
    assert made.shape == (TERMS,)
    assert np.abs(made).max() <= 36.0


def test_the_hats_of_a_feature_add_up_to_one_wherever_it_is() -> None:
    sums = [terms(features(heart_rate=bpm))[:13].sum() for bpm in np.linspace(-5, 5, 101)]
    assert sums == pytest.approx(np.ones(101))


def test_a_hat_is_one_at_its_knot_and_its_neighbours_share_what_lies_between() -> None:
    assert terms(features(heart_rate=0.0))[:13].tolist() == pytest.approx([0] * 6 + [1] + [0] * 6)
    assert terms(features(heart_rate=2.5 / 30))[6:8] == pytest.approx([0.75, 0.25])
    assert terms(features(heart_rate=9.0))[12] == pytest.approx(1)


def test_a_sensor_that_is_missing_makes_no_terms() -> None:
    whole = features(speed=1.3, speed_over_mean_30s=0.4, cadence=0.5, power=1.0)
    missing = whole.copy()
    for load in ("speed", "climb", "grade", "cadence", "power"):
        missing[GROUPS[load]] = 0.0
    assert np.count_nonzero(terms(missing)) < np.count_nonzero(terms(whole))
    silent = np.zeros(len(FEATURE_NAMES))
    assert not terms(silent).any()


def test_a_curve_that_no_line_fits_is_fitted() -> None:
    """Heart rate rises while it is low, falls while it is high, and stays in the middle."""
    bpm = np.linspace(-2, 2, 400)
    change = np.where(np.abs(bpm) < 0.7, 0.0, -np.sign(bpm) * (np.abs(bpm) - 0.7))
    x = np.stack([terms(features(heart_rate=v)) for v in bpm])
    weights = np.linalg.lstsq(x, change, rcond=None)[0]
    assert np.abs(x @ weights - change).max() < 0.1
