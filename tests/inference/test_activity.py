from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.errors import BundleError
from edge_agent.inference.activity import ActivityRecogniser, Recognition, Smoother, probabilities
from edge_agent.inference.bundle import Calibration, WindowClassifier
from edge_agent.signals.acceleration import CHANNELS, CONTRACT

LABELS = ("still", "walk", "row")


def interface(*, contract: str = CONTRACT, unknown_below: float = 0.5) -> WindowClassifier:
    return WindowClassifier(
        contract=contract,
        channels=CHANNELS,
        samples=125,
        sample_rate_hz=25.0,
        labels=LABELS,
        calibration={"wrist": Calibration(1.0, unknown_below)},
    )


def by_strength(window: NDArray[np.float32]) -> NDArray[np.float32]:
    """A classifier that takes what moves for walking."""
    moved = float(np.abs(window[..., CHANNELS.index("vertical_mps2")]).mean())
    return np.array([[1.0 - moved, moved, -3.0]], np.float32)


def walking(seconds: float, rate_hz: float) -> NDArray[np.float32]:
    t_s = np.arange(round(seconds * rate_hz)) / rate_hz
    bounce = 4 * np.sin(2 * np.pi * 1.8 * t_s)
    return np.asarray(np.stack([0 * t_s, 0.5 * bounce, 9.81 + bounce], axis=1), np.float32)


def recognised(samples: NDArray[np.float32], rate_hz: float, *, unknown_below: float = 0.5) -> list[Recognition]:
    model = interface(unknown_below=unknown_below)
    recogniser = ActivityRecogniser(model, by_strength, placement="wrist", rate_hz=rate_hz)
    return recogniser.push(samples) + recogniser.finish()


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 52.0, 100.0, 200.0])
def test_every_five_seconds_there_is_an_answer_at_any_rate(rate_hz: float) -> None:
    windows = [r.window for r in recognised(walking(21, rate_hz), rate_hz)]
    assert [w.t_s for w in windows] == [0, 5, 10, 15]
    assert {w.activity.label for w in windows} == {"walk"}
    assert [w.cadence_per_min for w in windows] == pytest.approx([108] * 4, rel=0.02)


@given(cuts=st.lists(st.integers(0, 1050), max_size=6))
def test_samples_may_come_in_any_pieces(cuts: list[int]) -> None:
    samples = walking(21, 50.0)
    recogniser = ActivityRecogniser(interface(), by_strength, placement="wrist", rate_hz=50.0)
    pieces = [r for part in np.split(samples, sorted(cuts)) for r in recogniser.push(part)]
    assert pieces + recogniser.finish() == recognised(samples, 50.0)


def test_an_answer_comes_within_a_second_of_its_window() -> None:
    recogniser = ActivityRecogniser(interface(), by_strength, placement="wrist", rate_hz=50.0)
    assert recogniser.push(walking(5, 50.0)) == []
    assert len(recogniser.push(walking(0.7, 50.0))) == 1


def test_an_answer_that_is_not_sure_enough_is_unknown_and_still_has_its_label() -> None:
    (answer,) = recognised(walking(5, 25.0), 25.0, unknown_below=0.99)
    assert answer.window.activity.label == "walk"
    assert answer.window.activity.unknown
    assert answer.window.activity.probability < 0.99


def test_what_is_done_is_smoothed_over_windows_and_keeps_the_probability_that_the_last_one_gives_it() -> None:
    standing = np.tile(np.array([0, 0, 9.81], np.float32), (125, 1))
    *_, odd, after = recognised(np.concatenate([walking(30, 25.0), standing, walking(5.6, 25.0)]), 25.0)
    assert (odd.window.activity.label, odd.doing.label) == ("still", "walk")
    assert odd.doing.probability < 0.5 < odd.window.activity.probability
    assert (after.doing.label, after.doing.probability) == ("walk", after.window.activity.probability)


def test_the_temperature_makes_probabilities_modest() -> None:
    logits = np.array([[4.0, 1.0, 0.0]], np.float32)
    sharp, modest = (probabilities(logits, Calibration(t, 0)).max() for t in (1.0, 3.0))
    assert modest < sharp < 1
    np.testing.assert_allclose(probabilities(logits, Calibration(3.0, 0)).sum(), 1)


def test_one_odd_window_does_not_change_what_is_being_done() -> None:
    smoother = Smoother(3)
    walk, row = np.array([0.05, 0.9, 0.05]), np.array([0.1, 0.2, 0.7])
    said = [int(smoother.step(window).argmax()) for window in [walk] * 6 + [row] + [walk] * 3]
    assert set(said) == {1}


def test_what_changes_for_good_is_followed_within_two_windows() -> None:
    smoother = Smoother(3)
    walk, row = np.array([0.05, 0.9, 0.05]), np.array([0.05, 0.05, 0.9])
    said = [int(smoother.step(window).argmax()) for window in [walk] * 12 + [row] * 4]
    assert said[:12] == [1] * 12
    assert said[-3:] == [2] * 3


def test_a_model_of_another_contract_is_refused() -> None:
    with pytest.raises(BundleError, match="activity-0"):
        ActivityRecogniser(interface(contract="activity-0"), by_strength, placement="wrist", rate_hz=25.0)


def test_a_placement_that_the_model_does_not_serve_is_refused() -> None:
    with pytest.raises(BundleError, match="does not serve the chest, only: wrist"):
        ActivityRecogniser(interface(), by_strength, placement="chest", rate_hz=25.0)
