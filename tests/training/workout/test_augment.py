from __future__ import annotations

import numpy as np

from edge_agent.recordings.recording import Recording
from edge_agent.signals.features import GROUPS
from training.dataset import make_session
from training.workout.augment import drop_sensors, interrupt, vary_person


def test_a_varied_person_keeps_masks_and_ages(recordings: list[Recording]) -> None:
    session = make_session(recordings[0])
    x, change_bpm = vary_person(session.x, session.change_bpm, 0.3, np.random.default_rng(0))
    for columns in GROUPS.values():
        np.testing.assert_array_equal(x[:, columns.start], session.x[:, columns.start])
    ages = slice(GROUPS["heart_rate"].stop - 2, GROUPS["heart_rate"].stop)
    np.testing.assert_array_equal(x[:, ages], session.x[:, ages])
    assert not x[:, GROUPS["power"]].any()
    known = session.change_bpm[:200, 0] != 0
    ratio = change_bpm[:200, 0][known] / session.change_bpm[:200, 0][known]
    assert np.ptp(ratio) < 1e-5
    lag = GROUPS["heart_rate"].start + 5
    moved = session.x[:, lag] != 0
    np.testing.assert_allclose(x[moved, lag] / session.x[moved, lag], ratio[0], rtol=1e-4)


def test_a_lost_sensor_leaves_nothing_behind(recordings: list[Recording]) -> None:
    session = make_session(recordings[0])
    x = np.repeat(session.x[:, None], 200, axis=1)
    drop_sensors(x, 1.0, np.random.default_rng(0))
    for load, columns in GROUPS.items():
        gone = x[:, :, columns.start].sum(axis=0) == 0
        assert not x[:, gone, columns].any()
        if load in ("speed", "cadence"):
            assert 0.5 < gone.mean() < 0.9
    without_speed = x[:, :, GROUPS["speed"].start].sum(axis=0) == 0
    assert not x[:, without_speed, GROUPS["grade"]].any()
    np.testing.assert_array_equal(x[:, :, GROUPS["heart_rate"]], np.repeat(session.x[:, None], 200, 1)[:, :, :19])


def test_an_interrupted_recording_misses_heart_rate_alone(recordings: list[Recording]) -> None:
    gappy = interrupt(recordings[0], np.random.default_rng(0))
    missing = np.isnan(gappy.channels["heart_rate_bpm"])
    assert 0 < missing.sum() < 150
    np.testing.assert_array_equal(gappy.channels["speed_mps"], recordings[0].channels["speed_mps"])
    assert not np.isnan(recordings[0].channels["heart_rate_bpm"]).any()
