from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.signals.acceleration import RATE_HZ, WINDOW_SAMPLES
from edge_agent.signals.cadence import cadence_per_min

_T_S = np.arange(WINDOW_SAMPLES) / RATE_HZ


def worn(*axes: NDArray[np.float64]) -> NDArray[np.float32]:
    """A window of movement along up to three axes, around a gravity that lies askew."""
    window = np.tile([3.0, 6.0, 7.0], (WINDOW_SAMPLES, 1))
    for axis, movement in enumerate(axes):
        window[:, axis] += movement
    return window.astype(np.float32)


def bounce(per_min: float, phase: float = 0.0) -> NDArray[np.float64]:
    angle = 2 * np.pi * per_min / 60 * _T_S + phase
    return np.asarray(3 * np.sin(angle) + np.sin(2 * angle))


@given(per_min=st.floats(25, 200), phase=st.floats(0, 6.28))
def test_the_rate_of_a_periodic_movement_is_found(per_min: float, phase: float) -> None:
    assert cadence_per_min(worn(bounce(per_min, phase)), "row") == pytest.approx(per_min, rel=0.03)


@pytest.mark.parametrize(("activity", "steps_per_min"), [("walk", 110), ("run", 170), ("stairs", 80)])
def test_an_arm_that_swings_once_for_two_steps_counts_two_steps(activity: str, steps_per_min: float) -> None:
    swing = 4 * np.sin(np.pi * steps_per_min / 60 * _T_S)
    heel = np.where((steps_per_min / 60 * _T_S) % 1 < 0.2, 1.0, 0.0)
    assert cadence_per_min(worn(swing, heel), activity) == pytest.approx(steps_per_min, rel=0.03)


def test_the_same_movement_in_rowing_is_one_stroke() -> None:
    assert cadence_per_min(worn(4 * np.sin(2 * np.pi * 0.45 * _T_S)), "row") == pytest.approx(27, rel=0.03)


def test_no_turn_of_the_sensor_changes_the_rate() -> None:
    window = worn(bounce(100), bounce(50))
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    straight = cadence_per_min(window, "walk")
    assert cadence_per_min((window @ turn).astype(np.float32), "walk") == pytest.approx(straight, rel=1e-3)


def test_nothing_repeats_in_noise_at_rest_or_lying_still() -> None:
    rng = np.random.default_rng(1)
    noise = worn(*rng.normal(size=(3, WINDOW_SAMPLES)))
    assert cadence_per_min(noise, "ball_sport") is None
    assert cadence_per_min(worn(), "row") is None
    assert cadence_per_min(worn(bounce(100)), "still") is None
