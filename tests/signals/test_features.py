from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.signals.features import FEATURE_NAMES, GAP_S, GROUPS, FeatureStream, feature_matrix
from edge_agent.signals.frame import Frame

_COLUMN = {name: i for i, name in enumerate(FEATURE_NAMES)}
_LOADS = ("speed", "climb", "grade", "cadence", "power")


def _values(low: float, high: float) -> st.SearchStrategy[float | None]:
    return st.none() | st.floats(low, high, width=32)


_FRAMES = st.lists(
    st.builds(
        Frame,
        t_s=st.just(0),
        heart_rate_bpm=_values(30, 220),
        speed_mps=_values(0, 20),
        cadence_rpm=_values(0, 200),
        power_w=_values(0, 1500),
        altitude_m=_values(-100, 4000),
    ),
    max_size=60,
)
_ANYTHING = st.none() | st.floats(allow_nan=True, allow_infinity=True)
_ANY_FRAMES = st.lists(
    st.builds(
        Frame,
        t_s=st.just(0),
        heart_rate_bpm=_ANYTHING,
        speed_mps=_ANYTHING,
        cadence_rpm=_ANYTHING,
        power_w=_ANYTHING,
        altitude_m=_ANYTHING,
    ),
    max_size=40,
)


def _steady(seconds: int, **channels: float) -> list[Frame]:
    return [Frame(0, **channels)] * seconds  # type: ignore[arg-type]


@given(_ANY_FRAMES)
def test_features_are_finite_whatever_a_sensor_says(frames: list[Frame]) -> None:
    x, _, _ = feature_matrix(frames)
    assert x.shape == (len(frames), len(FEATURE_NAMES))
    assert x.dtype == np.float32
    assert np.isfinite(x).all()


@given(_FRAMES)
def test_masks_say_what_is_present(frames: list[Frame]) -> None:
    x, anchors_bpm, _ = feature_matrix(frames)
    for row, anchor_bpm, frame in zip(x, anchors_bpm, frames, strict=True):
        assert row[_COLUMN["heart_rate_present"]] == (frame.heart_rate_bpm is not None)
        assert row[_COLUMN["speed_present"]] == (frame.speed_mps is not None)
        assert row[_COLUMN["cadence_present"]] == (frame.cadence_rpm is not None)
        assert row[_COLUMN["power_present"]] == (frame.power_w is not None)
        assert np.isnan(anchor_bpm) == (frame.heart_rate_bpm is None)


@given(_FRAMES)
def test_a_missing_load_is_zero_throughout_its_group(frames: list[Frame]) -> None:
    x, _, _ = feature_matrix(frames)
    for load in _LOADS:
        group = x[:, GROUPS[load]]
        assert not group[group[:, 0] == 0].any()


@given(_FRAMES, st.integers(0, 60))
def test_features_do_not_depend_on_the_future(frames: list[Frame], cut: int) -> None:
    whole, prefix = feature_matrix(frames), feature_matrix(frames[:cut])
    for a, b in zip(whole, prefix, strict=True):
        np.testing.assert_array_equal(a[: len(b)], b)


@given(_FRAMES)
def test_a_matrix_is_what_the_stream_says_second_by_second(frames: list[Frame]) -> None:
    stream = FeatureStream()
    steps = [stream.push(frame) for frame in frames]
    x, _, restarts = feature_matrix(frames)
    for row, restarted, step in zip(x, restarts, steps, strict=True):
        np.testing.assert_array_equal(row, step.vector)
        assert restarted == step.restarted


def test_the_session_restarts_with_its_first_heart_rate() -> None:
    frames = [*_steady(5, speed_mps=3.0), *_steady(5, heart_rate_bpm=100.0)]
    _, anchors_bpm, restarts = feature_matrix(frames)
    assert restarts.tolist() == [False] * 5 + [True] + [False] * 4
    assert np.isnan(anchors_bpm[:5]).all()
    assert anchors_bpm[5:].tolist() == [100.0] * 5


@pytest.mark.parametrize(("gap_s", "restarted"), [(1, False), (GAP_S, False), (GAP_S + 1, True), (4 * GAP_S, True)])
def test_only_a_long_gap_in_heart_rate_restarts(gap_s: int, restarted: bool) -> None:  # noqa: FBT001
    frames = [*_steady(50, heart_rate_bpm=100.0), *_steady(gap_s), *_steady(2, heart_rate_bpm=120.0)]
    _, _, restarts = feature_matrix(frames)
    assert restarts.nonzero()[0].tolist() == ([0, 50 + gap_s] if restarted else [0])


def test_nothing_is_remembered_over_a_restart() -> None:
    after = [
        dataclasses.replace(frame, heart_rate_bpm=140.0 + t)
        for t, frame in enumerate(_steady(40, speed_mps=3.0, altitude_m=20.0, power_w=200.0))
    ]
    before = [*_steady(200, heart_rate_bpm=90.0, speed_mps=6.0, altitude_m=500.0), *_steady(GAP_S + 1)]
    x, _, _ = feature_matrix([*before, *after])
    fresh, _, _ = feature_matrix(after)
    np.testing.assert_array_equal(x[len(before) :], fresh)


def test_the_last_heart_rate_stands_in_over_a_short_gap() -> None:
    frames = [*_steady(60, heart_rate_bpm=100.0), *_steady(3), *_steady(1, heart_rate_bpm=110.0)]
    x, _, _ = feature_matrix(frames)
    level = x[:, _COLUMN["heart_rate"]]
    assert level[60:63].tolist() == [level[59]] * 3
    assert x[63, _COLUMN["heart_rate_change_20s"]] == pytest.approx((110 - 100) / 5.0)


def test_changes_are_counted_over_their_lag() -> None:
    frames = [Frame(t_s=t, heart_rate_bpm=100.0 + 0.1 * t) for t in range(200)]
    x, _, _ = feature_matrix(frames)
    assert x[150, _COLUMN["heart_rate_change_20s"]] == pytest.approx(0.1 * 20 / 5.0, rel=1e-5)
    assert x[150, _COLUMN["heart_rate_change_120s"]] == pytest.approx(0.1 * 120 / 14.0, rel=1e-5)


def test_grade_is_rise_over_distance_despite_coarse_altitude() -> None:
    speed_mps, grade = 3.0, 0.05
    frames = [
        Frame(t_s=t, heart_rate_bpm=120.0, speed_mps=speed_mps, altitude_m=round(grade * speed_mps * t / 0.2) * 0.2)
        for t in range(60)
    ]
    x, _, _ = feature_matrix(frames)
    assert x[30:, _COLUMN["grade"]] * 0.06 == pytest.approx(grade, abs=0.005)
    assert x[30:, _COLUMN["climb"]] * 0.2 == pytest.approx(grade * speed_mps, abs=0.015)


def test_standing_still_is_flat_whatever_the_barometer_does() -> None:
    frames = [Frame(t_s=t, heart_rate_bpm=90.0, speed_mps=0.0, altitude_m=50.0 + t % 2) for t in range(60)]
    x, _, _ = feature_matrix(frames)
    assert not x[:, _COLUMN["grade"]].any()


def test_climb_needs_altitude_alone_and_grade_needs_speed_too() -> None:
    x, _, _ = feature_matrix(_steady(30, heart_rate_bpm=90.0, altitude_m=50.0))
    assert x[5:, _COLUMN["climb_present"]].all()
    assert not x[:, _COLUMN["grade_present"]].any()


def test_groups_cover_every_feature_once() -> None:
    covered = [i for columns in GROUPS.values() for i in range(columns.start, columns.stop)]
    assert covered == list(range(len(FEATURE_NAMES)))
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
