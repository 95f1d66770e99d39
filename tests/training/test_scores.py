from __future__ import annotations

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from training.dataset import HORIZONS_S, make_session
from training.scores import first_minute_ratio, mae_bpm, origins, share_below, share_inside


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
