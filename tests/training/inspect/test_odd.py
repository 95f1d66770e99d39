from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from edge_agent.recordings.recording import Cleaning, Recording
from tests.training.conftest import make_recording
from training.dataset import make_session
from training.inspect.odd import longest, oddities_of, runs


def odd(recording: Recording) -> str:
    return "\n".join(oddities_of(make_session(recording)))


@pytest.fixture
def recording() -> Recording:
    return make_recording("ada", "s", seconds=1800, seed=4)


def test_an_ordinary_recording_is_not_odd(recording: Recording) -> None:
    assert odd(recording) == ""


def test_a_short_one_is(recording: Recording) -> None:
    cut = {name: values[:200] for name, values in recording.channels.items()}
    assert "short: 200 s" in odd(dataclasses.replace(recording, channels=cut))


def test_a_long_pause_is_named_with_its_place(recording: Recording) -> None:
    recording.channels["heart_rate_bpm"][700:1360] = np.nan
    assert "no heart rate for 11 min from 0:11:40 on" in odd(recording)


def test_heart_rate_that_is_never_whole_scores_nothing(recording: Recording) -> None:
    recording.channels["heart_rate_bpm"][::100] = np.nan
    assert "no second of it is scored" in odd(recording)


def test_jumps_are_counted(recording: Recording) -> None:
    recording.channels["heart_rate_bpm"][[400, 500, 600]] += 40
    assert "jumps by more than 15 bpm within a second 6 times, first at 0:06:40" in odd(recording)


@pytest.mark.parametrize("steps", [1, 2])
def test_a_sensor_that_counts_steps_is_suspected(recording: Recording, steps: int) -> None:
    recording.channels["cadence_rpm"][900:1100] = recording.channels["heart_rate_bpm"][900:1100] / steps
    assert "heart rate equals cadence for" in odd(recording)


def test_a_sensor_that_says_nothing_or_nonsense_is_named(recording: Recording) -> None:
    zero = {**recording.channels, "power_w": np.zeros(1800, np.float32)}
    cleaning = {"power_w": Cleaning(read=1800, implausible=300, merged=0, held=0)}
    said = odd(dataclasses.replace(recording, channels=zero, cleaning=cleaning))
    assert "power_w is zero throughout" in said
    assert "power_w: 300 of 1800 samples are no plausible values" in said


def test_runs_are_found_at_both_ends() -> None:
    true = np.array([True, True, False, True, False, False, True, True, True])
    assert runs(true) == [(0, 2), (3, 1), (6, 3)]
    assert longest(true) == (3, 6)
    assert longest(np.zeros(3, bool)) == (0, 0)
