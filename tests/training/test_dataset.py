from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from training.dataset import HISTORY_S, HORIZONS_S, load, make_session
from training.errors import TrainingError


def test_a_target_is_the_change_until_the_horizon(recordings: list[Recording]) -> None:
    session = make_session(recordings[0])
    heart_rate_bpm = recordings[0].channels["heart_rate_bpm"]
    for column, horizon_s in enumerate(HORIZONS_S):
        expected = heart_rate_bpm[horizon_s:] - heart_rate_bpm[:-horizon_s]
        np.testing.assert_array_equal(session.change_bpm[:-horizon_s, column], expected)
        assert np.isnan(session.change_bpm[-horizon_s:, column]).all()


def test_no_scored_origin_has_a_gap_behind_or_before_it(recordings: list[Recording]) -> None:
    gap = slice(150, 152)
    heart_rate_bpm = recordings[0].channels["heart_rate_bpm"].copy()
    heart_rate_bpm[gap] = np.nan
    recording = dataclasses.replace(recordings[0], channels={"heart_rate_bpm": heart_rate_bpm})
    session = make_session(recording)
    for column, horizon_s in enumerate(HORIZONS_S):
        reaches = session.scored[:, column].nonzero()[0]
        expected = [
            t
            for t in range(HISTORY_S, recording.duration_s - horizon_s)
            if not (t - HISTORY_S < gap.stop and t + horizon_s >= gap.start)
        ]
        assert reaches.tolist() == expected


def test_a_session_shorter_than_the_horizons_has_no_targets(recordings: list[Recording]) -> None:
    short = {name: values[:5] for name, values in recordings[0].channels.items()}
    session = make_session(dataclasses.replace(recordings[0], channels=short))
    assert np.isnan(session.change_bpm).all()
    assert not session.scored.any()


def test_the_published_test_is_kept_apart(data_folder: Path) -> None:
    dataset = load(data_folder)
    assert [s.recording.session for s in dataset.published_test] == ["t99"]
    assert len(dataset.sessions) == 20
    assert not {s.key for s in dataset.sessions} & {s.key for s in dataset.published_test}


def test_a_malformed_file_is_named_and_the_others_go_on(data_folder: Path) -> None:
    dataset = load(data_folder)
    (error,) = dataset.errors
    assert error.path.name == "broken.csv"
    assert error.line == 3


def test_a_folder_without_recordings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no recording could be read"):
        load(tmp_path)
    with pytest.raises(TrainingError, match="is not a folder"):
        load(tmp_path / "nowhere")
