from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import RecordingError
from edge_agent.recordings.grid import MAX_DURATION_S, Samples, smart_recording_hold_s, to_recording
from edge_agent.recordings.recording import Cleaning, Recording

PATH = Path("session.csv")


def grid(*clocks: Samples) -> Recording:
    return to_recording(*clocks, person="p", session="s", sport="running", source="x", licence="own")


def heart_rate(t_s: Sequence[float], bpm: Sequence[float], hold_s: int = 0) -> list[float]:
    recording = grid(Samples(path=PATH, t_s=t_s, channels={"heart_rate_bpm": bpm}, hold_s=hold_s))
    return [float(value) for value in recording.channels["heart_rate_bpm"]]


def test_of_several_samples_in_a_second_the_last_valid_one_counts() -> None:
    assert heart_rate([0, 1, 1.2, 1.4], [100, 101, 102, nan]) == [100, 102]


def test_samples_out_of_order_land_where_they_belong() -> None:
    assert heart_rate([2, 0, 1], [102, 100, 101]) == [100, 101, 102]


@pytest.mark.parametrize("bpm", [nan, inf, -inf, 0, 24.9, 250.1, 1e300])
def test_implausible_heart_rate_is_missing(bpm: float) -> None:
    np.testing.assert_array_equal(heart_rate([0, 1, 2], [100, bpm, 102]), [100, nan, 102])


def test_a_value_is_held_no_longer_than_its_bound() -> None:
    np.testing.assert_array_equal(heart_rate([0, 1, 6], [nan, 101, 106], hold_s=2), [nan, 101, 101, 101, nan, nan, 106])


def test_clocks_share_one_grid() -> None:
    recording = grid(
        Samples(path=PATH, t_s=[0, 1], channels={"power_w": [200, 210]}, rr_intervals_ms=[(), (800, 0, nan, 1e9)]),
        Samples(path=PATH, t_s=[2, 3], channels={"heart_rate_bpm": [100, 101]}),
    )
    np.testing.assert_array_equal(recording.channels["power_w"], [200, 210, nan, nan])
    np.testing.assert_array_equal(recording.channels["heart_rate_bpm"], [nan, nan, 100, 101])
    assert recording.rr_intervals_ms == {1: (800,)}


def test_only_files_with_samples_seconds_apart_count_as_smart_recording() -> None:
    assert smart_recording_hold_s([]) == smart_recording_hold_s([0]) == 0
    assert smart_recording_hold_s([0, 1, 2, 300, 301]) == 0
    assert smart_recording_hold_s([0, 4, 9, 300, 303]) == 8


@given(t_s=st.lists(st.floats(), min_size=1, max_size=5))
def test_any_time_is_on_the_grid_or_an_error_that_names_it(t_s: list[float]) -> None:
    samples = Samples(path=PATH, t_s=t_s, channels={"heart_rate_bpm": [100] * len(t_s)}, lines=range(1, 1 + len(t_s)))
    wrong = [line for line, time_s in enumerate(t_s, 1) if not -0.5 <= time_s < MAX_DURATION_S - 0.5]
    if wrong:
        with pytest.raises(RecordingError) as caught:
            grid(samples)
        assert caught.value.line == wrong[0]
    else:
        assert abs(grid(samples).duration_s - 1 - max(t_s)) <= 0.5


def test_what_became_of_the_samples_is_counted() -> None:
    recording = grid(
        Samples(
            path=PATH,
            t_s=[0, 1, 1.2, 4, 5],
            channels={"heart_rate_bpm": [100, 101, 102, 0, nan], "power_w": [-1] * 5},
            hold_s=2,
        )
    )
    assert recording.cleaning["heart_rate_bpm"] == Cleaning(read=4, implausible=1, merged=1, held=2)
    assert recording.cleaning["power_w"] == Cleaning(read=5, implausible=5, merged=0, held=0)
    assert "power_w" not in recording.channels
