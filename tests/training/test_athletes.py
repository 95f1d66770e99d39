from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.choice import open_cell
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.recordings.recording import Recording
from training.athletes import (
    HEART_RATE,
    LSTM,
    MIXTURE,
    WITH_LOAD,
    Played,
    by_athlete,
    only,
    play_everybody,
    score_alerts,
    score_athletes,
    skill,
    strap_alone,
)
from training.dataset import Session, make_session


@pytest.fixture(scope="module")
def sessions(recordings: list[Recording]) -> list[Session]:
    return [make_session(r) for r in recordings[:4] + recordings[10:14]]


def test_sessions_are_played_in_the_order_they_were_made(recordings: list[Recording]) -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    made = [
        make_session(dataclasses.replace(r, started_at=noon - timedelta(days=i))) for i, r in enumerate(recordings[:3])
    ]
    assert by_athlete(made) == {"ada": made[::-1]}


def test_a_strap_alone_leaves_nothing_but_heart_rate(sessions: list[Session]) -> None:
    alone = strap_alone(sessions[0])
    assert set(alone.recording.channels) == {"heart_rate_bpm"}
    np.testing.assert_array_equal(alone.change_bpm, sessions[0].change_bpm)


def test_everybody_is_played_and_the_mixture_learns(sessions: list[Session]) -> None:
    bundle = read_bundle(SHIPPED_BUNDLE)
    played = play_everybody(bundle, open_cell(bundle), sessions)
    for own in played.values():
        assert [p.session.key for p in own] == [s.key for s in sessions]
        assert [p.before_s for p in own] == [0, 300, 600, 900] * 2
    scores = score_athletes(played)
    assert [(s.person, s.sessions) for s in scores] == [("ada", 4), ("ben", 4)]
    for score in scores:
        skills = {(s.method, s.inputs): s for s in score.skills}
        assert set(skills) == {(m, i) for m in (LSTM, MIXTURE) for i in (WITH_LOAD, HEART_RATE)}
        learned = skills[MIXTURE, WITH_LOAD]
        assert learned.halves[1][0] < learned.halves[0][0]
        assert learned.ratios[0] < 1
        assert 0.5 < learned.inside[0] < 1
    last = only(played, {sessions[3].key})
    assert {inputs: len(own) for inputs, own in last.items()} == {WITH_LOAD: 1, HEART_RATE: 1}
    alerts = score_alerts(played, {"ada": 140.0, "ben": 140.0})
    assert len(alerts) == 6
    assert all(0 <= alert.recall <= 1 for alert in alerts)


def test_an_athlete_without_load_is_scored_from_heart_rate_alone(sessions: list[Session]) -> None:
    alone = strap_alone(sessions[0])
    forecast = np.repeat(np.nan_to_num(alone.change_bpm), 3, axis=1)
    played = [Played(alone, forecast, forecast, 0, 1.0)]
    (score,) = score_athletes({WITH_LOAD: played, HEART_RATE: played})
    assert [s.inputs for s in score.skills] == [HEART_RATE, HEART_RATE]


def test_a_perfect_forecast_has_no_error_and_persistence_its_own(sessions: list[Session]) -> None:
    def played(scale: float, before_s: int) -> Played:
        forecast = np.repeat(sessions[0].change_bpm * np.float32(scale), 3, axis=1)
        return Played(sessions[0], forecast, forecast, before_s, 1.0)

    perfect = skill([played(1, 0), played(1, 600)], MIXTURE, WITH_LOAD)
    assert perfect.ratios == [0, 0, 0]
    assert perfect.inside == [1, 1, 1]
    persistence = skill([played(0, 0)], LSTM, WITH_LOAD)
    assert persistence.ratios == pytest.approx([1, 1, 1])
    assert np.isnan(persistence.halves[0]).all()
    assert np.isnan(persistence.inside).all()  # ten minutes have not been played
