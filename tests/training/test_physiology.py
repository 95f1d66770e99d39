from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from tests.training.conftest import make_recording
from training.dataset import Session, make_session
from training.physiology import FirstOrder
from training.scores import mae_bpm


def _cycled(recording: Recording, *, on_s: float, off_s: float, seed: int) -> Session:
    """Heart rate that answers to blocks of power with two time constants."""
    power_w = np.repeat(np.random.default_rng(seed).uniform(50, 300, 12), 100)
    heart_rate_bpm = np.empty(len(power_w))
    now = 90.0
    for t, load_w in enumerate(power_w):
        steady = 70 + 0.3 * load_w
        now += (steady - now) / (on_s if steady > now else off_s)
        heart_rate_bpm[t] = now
    channels = {"heart_rate_bpm": heart_rate_bpm.astype(np.float32), "power_w": power_w.astype(np.float32)}
    return make_session(dataclasses.replace(recording, channels=channels))


@pytest.fixture(scope="module")
def template() -> Recording:
    return make_recording("eve", "s", seconds=10, seed=0)


def test_two_time_constants_are_told_apart(template: Recording) -> None:
    train = [_cycled(template, on_s=24, off_s=70, seed=seed) for seed in range(4)]
    physiology = FirstOrder()
    physiology.fit(train)
    held_out = _cycled(template, on_s=24, off_s=70, seed=9)
    steady = np.flatnonzero(held_out.scored[:, 2])
    # Where the block does not change before the horizon, a first-order response is known for certain.
    same = steady[(steady % 100 > 20) & (steady % 100 < 40)]
    error_bpm = np.abs(physiology.predict(held_out) - held_out.change_bpm)[same]
    assert error_bpm.mean() < 0.15 * np.abs(held_out.change_bpm[same]).mean()


def test_it_beats_persistence_where_heart_rate_follows_speed(recordings: list[Recording]) -> None:
    sessions = [make_session(r) for r in recordings]
    physiology = FirstOrder()
    physiology.fit(sessions[:16])
    held_out = sessions[16:]
    ours = mae_bpm(held_out, [physiology.predict(s) for s in held_out])
    theirs = mae_bpm(held_out, [np.zeros_like(s.change_bpm) for s in held_out])
    assert ours[0] < 0.8 * theirs[0]


def test_without_a_load_that_it_knows_heart_rate_stays(template: Recording, recordings: list[Recording]) -> None:
    physiology = FirstOrder()
    physiology.fit([make_session(r) for r in recordings[:4]])
    powered = _cycled(template, on_s=24, off_s=70, seed=1)
    assert not physiology.predict(powered).any()
