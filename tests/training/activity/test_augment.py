from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.signals.acceleration import CHANNELS, RATE_HZ, view
from training.activity.augment import Augmentation, Sampler, rotations
from training.activity.classes import CLASSES
from training.activity.dataset import Session

NOTHING = Augmentation(pace=0, vigour=0, gain=0, offset_mps2=0, spliced=0, dropped=0, smoothed=0)


def session(name: str, *, source: str = "dsads", placement: str = "wrist", seconds: int = 60) -> Session:
    t_s = np.arange(seconds * RATE_HZ) / RATE_HZ
    label = CLASSES.index(name)
    wave = np.sin(2 * np.pi * (1 + label / 4) * t_s)
    signal = np.stack([2 * wave, wave, 9.81 + 0 * wave], axis=1).astype(np.float32)
    return Session(source, "ada", name, placement, name, label, signal)


def rhythm_hz(windows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Frequency of the strongest horizontal movement."""
    moved = view(windows, np.full(len(windows), "wrist"))[:, :, CHANNELS.index("horizontal_1_mps2")]
    hz = np.fft.rfftfreq(500, 1 / RATE_HZ)
    return np.asarray(hz[np.abs(np.fft.rfft(moved, 500, axis=1)).argmax(axis=1)])


def test_every_class_is_drawn_alike_however_long_its_sessions_are() -> None:
    sampler = Sampler([session("walk", seconds=600), session("row", seconds=20)], NOTHING, wrist=0.5, wisdm=0.5)
    label = sampler.draw(np.random.default_rng(0), 2000).label
    assert np.mean(label == CLASSES.index("row")) == pytest.approx(0.5, abs=0.05)


def test_placements_and_data_sets_are_drawn_in_their_shares() -> None:
    sessions = [session("walk"), session("walk", placement="chest"), session("walk", source="wisdm-watch")]
    sampler = Sampler(sessions, NOTHING, wrist=0.8, wisdm=0.25)
    drawn = sampler.draw(np.random.default_rng(0), 4000)
    assert np.mean(drawn.placement == "wrist") == pytest.approx(0.8, abs=0.03)


def test_the_pace_changes_by_no_more_than_asked() -> None:
    rng = np.random.default_rng(0)
    usual, changed = (
        rhythm_hz(Sampler([session("walk")], how, wrist=0.5, wisdm=0.5).draw(rng, 400).acceleration_mps2)
        for how in (NOTHING, replace(NOTHING, pace=0.3))
    )
    assert np.ptp(usual) < 0.1
    change = np.log(changed / np.median(usual))
    assert change.min() < -0.25
    assert change.max() > 0.25
    assert np.abs(change).max() < 0.35


def test_turning_alone_changes_nothing_that_the_model_sees() -> None:
    rng = np.random.default_rng(0)
    sampler = Sampler([session("walk")], NOTHING, wrist=0.5, wisdm=0.5)
    drawn = sampler.draw(rng, 20).acceleration_mps2
    assert np.std(drawn[:, :, 2].mean(axis=1)) > 1  # the sensor is turned
    where = np.full(20, "wrist")
    turned = np.einsum("wtc,wdc->wtd", drawn, rotations(rng, 20))
    np.testing.assert_allclose(view(turned, where), view(drawn, where), atol=0.02)


def test_turns_are_orthogonal_and_half_of_them_mirrored() -> None:
    turns = rotations(np.random.default_rng(0), 500)
    np.testing.assert_allclose(turns @ turns.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (500, 3, 3)), atol=1e-5)
    assert np.mean(np.linalg.det(turns) < 0) == pytest.approx(0.5, abs=0.1)


def test_the_same_seed_draws_the_same() -> None:
    sampler = Sampler([session("walk"), session("row")], Augmentation(), wrist=0.5, wisdm=0.5)
    one, other = (sampler.draw(np.random.default_rng(7), 64) for _ in range(2))
    np.testing.assert_array_equal(one.acceleration_mps2, other.acceleration_mps2)
    assert np.isfinite(one.acceleration_mps2).all()
