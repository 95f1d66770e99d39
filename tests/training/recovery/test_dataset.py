from __future__ import annotations

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording
from training.recovery.dataset import LENGTH_S, Recovered, measured_bpm, recoveries


def recording(bpm: list[float]) -> Recording:
    return Recording(
        person="p",
        session="s",
        sport="cycling",
        source="made",
        licence="own",
        started_at=None,
        channels={"heart_rate_bpm": np.array(bpm, np.float32)},
    )


def test_an_outcome_is_what_was_measured_that_long_after_the_stop(recovered: list[Recovered]) -> None:
    assert len(recovered) > 30
    for r in recovered:
        expected = [measured_bpm(r.recording, r.stop.stop_t_s + h) for h in (60, 120)]
        np.testing.assert_allclose(r.outcome_bpm, expected, atol=1e-4)


def test_a_change_is_asked_for_only_before_its_horizon(recovered: list[Recovered]) -> None:
    for r in recovered:
        change_bpm = r.change_bpm
        assert change_bpm.shape == (LENGTH_S, 2)
        assert np.isnan(change_bpm[59:, 0]).all()
        assert np.isnan(change_bpm[~r.known]).all()
        assert not np.isnan(change_bpm[:59, 0][r.known[:59]]).any()


def test_no_second_before_the_announcement_is_known(recovered: list[Recovered]) -> None:
    assert all(not r.known[:7].any() for r in recovered if r.stop.channel == "power_w")
    assert all((r.x[~r.known] == 0).all() for r in recovered)


def test_heart_rate_between_two_samples_lies_on_their_line() -> None:
    nan = float("nan")
    sparse = recording([100.0, nan, nan, nan, 80.0] + [nan] * 30 + [60.0])
    assert measured_bpm(sparse, 1) == pytest.approx(95.0)
    assert np.isnan(measured_bpm(sparse, 20))
    assert np.isnan(measured_bpm(sparse, 500))


def test_a_recording_without_an_effort_has_no_recovery() -> None:
    assert recoveries(recording([80.0 + t % 3 for t in range(600)])) == []
