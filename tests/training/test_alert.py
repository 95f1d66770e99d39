from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.recordings.recording import Recording
from training.alert import THRESHOLD, WITHIN_S, chance_above, chance_to_pass, passes, score_alert, thresholds_bpm
from training.dataset import HORIZONS_S, Session, make_session


def _ramp(recording: Recording) -> Session:
    """From 100 bpm up by 1 bpm each 3 s."""
    channels = {"heart_rate_bpm": 100 + np.arange(240, dtype=np.float32) // 3}
    return make_session(dataclasses.replace(recording, channels=channels))


def _around(change_bpm: NDArray[np.float32], spread_bpm: float) -> NDArray[np.float32]:
    """Quantiles around what is going to happen, (seconds, horizons x quantiles)."""
    known = np.nan_to_num(change_bpm)
    quantiles = np.stack([known - spread_bpm, known, known + spread_bpm], axis=2)
    return np.asarray(quantiles.reshape(len(known), -1), np.float32)


def test_the_quantiles_have_the_chances_that_they_say() -> None:
    quantiles = np.array([[-4.0, 1.0, 11.0]] * 3, np.float32)
    chances = chance_above(quantiles, np.array([-4.0, 1.0, 11.0], np.float32))
    assert chances == pytest.approx([0.9, 0.5, 0.1], abs=1e-6)


def test_a_chance_falls_with_the_distance_and_a_certain_forecast_has_none_left() -> None:
    distance_bpm = np.linspace(-20, 20, 81, dtype=np.float32)
    chances = chance_above(np.tile(np.array([-2, 0, 5], np.float32), (81, 1)), distance_bpm)
    assert (np.diff(chances) <= 0).all()
    certain = chance_above(np.tile(np.array([3, 3, 3], np.float32), (81, 1)), distance_bpm)
    assert set(certain[np.abs(distance_bpm - 3) > 0.5].round(6)) == {0.0, 1.0}


def test_the_chance_to_pass_looks_no_further_than_it_says() -> None:
    quantiles = np.tile(np.array([-1, 0, 1], np.float32), (1, len(HORIZONS_S))).reshape(1, len(HORIZONS_S), 3)
    quantiles[0, HORIZONS_S.index(60)] += 50
    far = np.array([10.0], np.float32)
    assert chance_to_pass(quantiles.reshape(1, -1), far)[0] < 1e-6
    quantiles[0, HORIZONS_S.index(10)] += 50
    assert chance_to_pass(quantiles.reshape(1, -1), far)[0] > 1 - 1e-6


def test_a_passage_is_one_within_the_time_and_not_the_present(recordings: list[Recording]) -> None:
    session = _ramp(recordings[0])
    came = passes(session, 150.0)
    first = int(np.flatnonzero(session.anchor_bpm >= 150)[0])
    assert not came[: first - WITHIN_S].any()
    assert came[first - WITHIN_S : -1].all()
    assert not came[-1]


def test_an_alert_that_knows_the_future_misses_nothing(recordings: list[Recording]) -> None:
    session = _ramp(recordings[0])
    thresholds = thresholds_bpm([session])
    assert thresholds == {session.recording.person: pytest.approx(THRESHOLD * 179)}
    quantiles = [_around(session.change_bpm, 0.5)]
    for median_alone in (False, True):
        alert = score_alert("told", [session], quantiles, thresholds, median_alone=median_alone)
        assert (alert.recall, alert.precision) == (1.0, 1.0)
    never = score_alert("never", [session], [_around(session.change_bpm - 100, 0.5)], thresholds)
    assert never.recall == 0.0
    assert np.isnan(never.precision)
