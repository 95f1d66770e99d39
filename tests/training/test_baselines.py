from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from training.baselines import DampedTrend, OnLags, Persistence, baselines, lags, ridge, trees
from training.dataset import HORIZONS_S, Session, make_session
from training.scores import mae_bpm


@pytest.fixture(scope="module")
def sessions(recordings: list[Recording]) -> list[Session]:
    return [make_session(r) for r in recordings]


def test_lags_hold_nothing_of_the_future(sessions: list[Session]) -> None:
    recording = sessions[0].recording
    cut = {name: values[:200] for name, values in recording.channels.items()}
    prefix = make_session(dataclasses.replace(recording, channels=cut))
    np.testing.assert_array_equal(lags(sessions[0], loads=True)[:200], lags(prefix, loads=True))


def test_persistence_errs_by_the_change_itself(sessions: list[Session]) -> None:
    session = sessions[0]
    expected = [np.abs(session.change_bpm[session.scored[:, i], i]).mean() for i in range(len(HORIZONS_S))]
    assert mae_bpm([session], [Persistence().predict(session)]) == pytest.approx(expected)


def test_a_damped_trend_follows_a_straight_line_at_first(recordings: list[Recording]) -> None:
    ramp = {"heart_rate_bpm": np.linspace(80, 180, 400, dtype=np.float32)}
    session = make_session(dataclasses.replace(recordings[0], channels=ramp))
    trend = DampedTrend()
    trend.fit([session])
    ratio = mae_bpm([session], [trend.predict(session)])[0] / mae_bpm([session], [Persistence().predict(session)])[0]
    assert ratio < 0.2


def test_load_helps_where_heart_rate_follows_load(sessions: list[Session]) -> None:
    train, held_out = sessions[:16], sessions[16:]
    errors = {}
    for baseline in (
        Persistence(),
        OnLags("hr", ridge, loads=False),
        OnLags("load", ridge, loads=True),
        OnLags("t", trees, loads=True),
    ):
        baseline.fit(train)
        errors[baseline.name] = mae_bpm(held_out, [baseline.predict(s) for s in held_out])
    assert errors["load"][0] < errors["hr"][0] < errors["persistence"][0]
    assert errors["t"][0] < errors["persistence"][0]


def test_every_baseline_takes_sessions_with_missing_channels(recordings: list[Recording]) -> None:
    alone = [
        make_session(dataclasses.replace(r, channels={"heart_rate_bpm": r.channels["heart_rate_bpm"]}))
        for r in recordings[:4]
    ]
    for baseline in baselines():
        baseline.fit(alone)
        assert np.isfinite(baseline.predict(alone[0])[alone[0].scored.any(axis=1)]).all(), baseline.name
