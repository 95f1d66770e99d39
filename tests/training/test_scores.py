from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from training.dataset import HORIZONS_S, make_session
from training.scores import (
    PHASES,
    first_minute_ratio,
    mae_bpm,
    mae_by_phase_bpm,
    origins,
    phase,
    ratio_interval,
    share_below,
    share_inside,
)


def test_a_perfect_forecast_has_no_error(recordings: list[Recording]) -> None:
    session = make_session(recordings[0])
    assert mae_bpm([session], [session.change_bpm]) == [0.0, 0.0, 0.0]
    assert first_minute_ratio([session], [session.change_bpm]) == [0.0, 0.0, 0.0]


def test_only_scored_origins_count(recordings: list[Recording]) -> None:
    session = make_session(recordings[0])
    elsewhere_wrong = np.where(session.scored, session.change_bpm + 2, 1e6).astype(np.float32)
    assert mae_bpm([session], [elsewhere_wrong]) == pytest.approx([2.0, 2.0, 2.0])
    assert origins([session]) == [300 - 120 - h for h in HORIZONS_S]


def test_shares_count_outcomes_on_either_side(recordings: list[Recording]) -> None:
    session = make_session(recordings[0])
    below, above = session.change_bpm - 1, session.change_bpm + 1
    around = np.stack([below, session.change_bpm, above], axis=2).reshape(len(below), -1)
    assert share_inside([session], [around]) == [1.0, 1.0, 1.0]
    np.testing.assert_allclose(share_below([session], [around]), [[0.0, 0.5, 1.0]] * 3)
    too_high = np.stack([above, above + 1, above + 2], axis=2).reshape(len(below), -1)
    assert share_inside([session], [too_high]) == [0.0, 0.0, 0.0]


def test_a_phase_is_told_from_the_past_alone(recordings: list[Recording]) -> None:
    heart_rate_bpm = np.concatenate([np.full(400, 120), np.linspace(120, 160, 60), np.full(60, 160)])
    channels = {"heart_rate_bpm": np.concatenate([heart_rate_bpm, heart_rate_bpm[::-1]]).astype(np.float32)}
    session = make_session(dataclasses.replace(recordings[0], channels=channels))
    names = [PHASES[i] for i in phase(session)]
    assert set(names[:300]) == {"first 5 min"}
    assert names[399] == "steady"
    assert names[430] == "rising"
    assert names[520] == "steady"
    assert names[630] == "falling"
    cut = dataclasses.replace(session, anchor_bpm=session.anchor_bpm[:431])
    assert phase(cut)[-1] == PHASES.index("rising")


def test_errors_by_phase_add_up_to_the_error(recordings: list[Recording]) -> None:
    session = make_session(recordings[0])
    wrong = [np.zeros_like(session.change_bpm)]
    first, *others = mae_by_phase_bpm([session], wrong)
    assert first == pytest.approx(mae_bpm([session], wrong))  # the whole session is shorter than five minutes
    assert np.isnan(others).all()


def test_an_interval_over_people_holds_every_person(recordings: list[Recording]) -> None:
    sessions = [make_session(r) for r in recordings]
    better = {"ada": 0.5, "ben": 0.8}
    made = [s.change_bpm * np.float32(1 - better[s.recording.person]) for s in sessions]
    low, high = ratio_interval(sessions, made)
    assert low == pytest.approx([0.5] * 3)
    assert high == pytest.approx([0.8] * 3)
    alone = [s for s in sessions if s.recording.person == "ada"]
    low, high = ratio_interval(alone, made[: len(alone)])
    assert [low, high] == [pytest.approx([0.5] * 3)] * 2
