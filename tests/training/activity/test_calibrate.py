from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from training.activity.calibrate import GIVEN_UP, calibrate, coverage_curve, trust


def answers(sharpness: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Logits that are right as often as their softmax at sharpness 1 says."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 9))
    likely = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = (likely.cumsum(axis=1) > rng.random((len(likely), 1))).argmax(axis=1)
    return (sharpness * logits).astype(np.float32), label


@pytest.mark.parametrize("sharpness", [0.7, 1.0, 2.5])
def test_the_temperature_undoes_false_confidence(sharpness: float) -> None:
    logits, label = answers(sharpness)
    calibration = calibrate(logits, label)
    assert calibration.temperature == pytest.approx(sharpness, rel=0.06)
    found = trust(logits, label, calibration)
    assert found.error_after < 0.02
    assert found.error_after <= found.error_before + 0.002


def test_the_least_sure_windows_are_given_up_and_are_wrong_more_often() -> None:
    logits, label = answers(1.0)
    found = trust(logits, label, calibrate(logits, label))
    assert found.known_share == pytest.approx(1 - GIVEN_UP, abs=0.005)
    assert found.wrong_known < found.wrong_all < found.wrong_unknown


def test_answering_less_is_wrong_less() -> None:
    logits, label = answers(1.0)
    answered, wrong = coverage_curve(logits, label)
    assert answered[-1] == 1
    assert wrong[len(wrong) // 2] < 0.7 * wrong[-1]
