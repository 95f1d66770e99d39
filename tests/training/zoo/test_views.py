from __future__ import annotations

import numpy as np
import pytest

from training.zoo.views import spectrogram, ten_steps


@pytest.mark.parametrize(("steps", "lengths"), [(60, {6}), (30, {3}), (125, {12, 13})])
def test_ten_stretches_hold_every_step_once(steps: int, lengths: set[int]) -> None:
    sequence = np.arange(2 * steps * 3, dtype=np.float32).reshape(2, steps, 3)
    stretches = ten_steps(sequence)
    assert len(stretches) == 10
    assert {s.shape[1] for s in stretches} == lengths
    np.testing.assert_array_equal(np.concatenate(stretches, axis=1), sequence)


@pytest.mark.parametrize("samples", [30, 60, 125])
def test_a_spectrogram_is_a_square_picture_of_any_window(samples: int) -> None:
    picture = spectrogram(np.random.default_rng(0).normal(size=(3, samples)).astype(np.float32))
    assert picture.shape == (3, 28, 28, 1)
    assert picture.dtype == np.float32
    assert np.isfinite(picture).all()


def test_a_tone_is_bright_at_its_frequency() -> None:
    t = np.arange(125)
    picture = spectrogram(np.sin(2 * np.pi * 0.25 * t)[None].astype(np.float32))
    # 27 bins from 0 to half the rate: a quarter of the rate is in the middle.
    assert set(picture[0, :, :, 0].argmax(axis=1)) <= {13, 14}


def test_a_level_is_dark_and_time_runs_along_the_first_axis() -> None:
    assert spectrogram(np.full((1, 125), 9.81, np.float32)).max() < 1e-3
    late = np.zeros((1, 125), np.float32)
    late[0, 90:] = np.sin(np.arange(35))
    brightness = spectrogram(late)[0, :, :, 0].sum(axis=1)
    assert brightness[-1] > 2 * brightness[0]
