from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.signals.acceleration import CHANNELS, RATE_HZ, WINDOW_SAMPLES, Resampler, resample, view

_RATES_HZ = (20.0, 25.0, 31.25, 50.0, 52.0, 100.0, 128.0, 200.0)


def tone(hz: float, rate_hz: float, seconds: float = 20.0) -> NDArray[np.float32]:
    t_s = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = np.sin(2 * np.pi * hz * t_s)
    return np.asarray(np.stack([wave, 2 * wave, 0 * wave + 9.81], axis=1), np.float32)


def movement(rng: np.random.Generator, windows: int = 6) -> NDArray[np.float32]:
    """Windows of band-limited movement around a gravity of any direction."""
    noise = rng.normal(size=(windows, WINDOW_SAMPLES, 3)).cumsum(axis=1)
    swing = noise - noise.mean(axis=1, keepdims=True)
    gravity = rng.normal(size=(windows, 1, 3))
    gravity *= 9.81 / np.linalg.norm(gravity, axis=2, keepdims=True)
    return np.asarray(gravity + swing * rng.uniform(0.2, 2.0, size=(windows, 1, 1)), np.float32)


def seen(windows: NDArray[np.float32], placement: str = "wrist") -> NDArray[np.float32]:
    return view(windows, np.full(len(windows), placement))


def rotation(rng: np.random.Generator) -> NDArray[np.float32]:
    """A rotation matrix, uniform over all turns."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return np.asarray(q * np.linalg.det(q), np.float32)


@pytest.mark.parametrize("rate_hz", _RATES_HZ)
@pytest.mark.parametrize("hz", [0.5, 2.0, 5.0, 7.0])
def test_what_a_body_does_passes_every_rate_unchanged(rate_hz: float, hz: float) -> None:
    out = resample(tone(hz, rate_hz), rate_hz)
    t_s = np.arange(len(out)) / RATE_HZ
    inside = (t_s > 1) & (t_s < 19)
    assert np.abs(out[:, 0] - np.sin(2 * np.pi * hz * t_s))[inside].max() < 0.01


@pytest.mark.parametrize("rate_hz", [rate for rate in _RATES_HZ if rate >= 50])
@pytest.mark.parametrize("hz", [11.0, 14.0, 20.0, 23.9])
def test_what_25_hz_cannot_hold_is_filtered_out_and_not_folded_down(rate_hz: float, hz: float) -> None:
    out = resample(tone(hz, rate_hz), rate_hz)
    assert np.abs(out[25:-25, 0]).max() < 0.01


@pytest.mark.parametrize("rate_hz", _RATES_HZ)
def test_gravity_and_length_are_kept_to_the_ends(rate_hz: float) -> None:
    out = resample(tone(1.0, rate_hz, seconds=5.0), rate_hz)
    assert out.shape == (WINDOW_SAMPLES, 3)
    np.testing.assert_allclose(out[:, 2], 9.81, rtol=1e-6)


@given(
    rate_hz=st.sampled_from(_RATES_HZ),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_samples_may_come_in_any_pieces(rate_hz: float, cuts: list[int]) -> None:
    x = np.random.default_rng(1).normal(size=(400, 3)).astype(np.float32)
    resampler = Resampler(rate_hz)
    pieces = [resampler.push(piece) for piece in np.split(x, sorted(cuts))]
    np.testing.assert_allclose(np.concatenate([*pieces, resampler.finish()]), resample(x, rate_hz), atol=1e-5)


def test_an_output_is_late_by_no_more_than_the_filter_needs() -> None:
    resampler = Resampler(50.0)
    out = resampler.push(tone(1.0, 50.0, seconds=10.0))
    assert len(out) / RATE_HZ > 10.0 - 0.7


def test_no_turn_of_the_sensor_changes_what_the_model_sees() -> None:
    rng = np.random.default_rng(2)
    windows = movement(rng)
    straight = seen(windows)
    assert straight.shape == (len(windows), WINDOW_SAMPLES, len(CHANNELS))
    assert straight.dtype == np.float32
    for _ in range(20):
        np.testing.assert_allclose(seen(windows @ rotation(rng)), straight, atol=2e-3)


def test_left_and_right_wear_are_the_same_to_the_model() -> None:
    windows = movement(np.random.default_rng(3))
    np.testing.assert_allclose(seen(windows * np.array([1, -1, 1], np.float32)), seen(windows), atol=2e-3)


def test_the_vertical_is_where_gravity_is() -> None:
    t_s = np.arange(WINDOW_SAMPLES) / RATE_HZ
    bounce, sway = 3 * np.sin(2 * np.pi * 2 * t_s), np.sin(2 * np.pi * t_s)
    window = np.stack([sway, 0 * sway, 9.81 + bounce], axis=1).astype(np.float32)[None]
    channels = dict(zip(CHANNELS, np.sinh(seen(window)[0]).T, strict=True))
    np.testing.assert_allclose(channels["vertical_mps2"], bounce, atol=0.02)
    np.testing.assert_allclose(np.abs(channels["horizontal_1_mps2"]), np.abs(sway), atol=0.02)
    np.testing.assert_allclose(channels["horizontal_2_mps2"], 0, atol=0.02)


def test_the_model_is_told_where_the_sensor_is_worn() -> None:
    windows = movement(np.random.default_rng(4))
    at = CHANNELS.index("on_chest")
    assert (seen(windows, "chest")[..., at] == 1).all()
    assert (seen(windows, "wrist")[..., at] == 0).all()


@pytest.mark.parametrize("value", [0.0, 9.81])
def test_a_sensor_that_lies_still_or_falls_gives_finite_channels(value: float) -> None:
    window = np.zeros((1, WINDOW_SAMPLES, 3), np.float32)
    window[..., 1] = value
    assert np.isfinite(seen(window)).all()
