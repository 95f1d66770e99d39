"""What a summary says of forecasts and activities, on hand-made seconds."""

from __future__ import annotations

import msgspec
import pytest

from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.forecast import Quantiles
from edge_agent.store.summary import (
    ForecastScore,
    MeasuredRecovery,
    Second,
    activity_seconds,
    measure_recoveries,
    score_forecasts,
)


def second(t_s: int, heart_rate_bpm: float | None, q50: float | None) -> Second:
    return Second(t_s, heart_rate_bpm, (), {2: None if q50 is None else Quantiles(q50 - 1, q50, q50 + 1)})


def test_forecasts_are_scored_where_their_outcome_was_measured_beside_the_last_value() -> None:
    seconds = [
        second(0, 100, 104),  # outcome 105: 1 off, the last value 5 off, inside
        second(1, 102, 103),  # outcome missing
        second(2, 105, 107),  # outcome 110: 3 off, the last value 5 off, outside
        second(3, None, None),
        second(4, 110, 112),  # outcome after the end
    ]
    assert score_forecasts(seconds) == {2: ForecastScore(2, 2.0, 5.0, 0.5)}


def test_a_horizon_without_an_outcome_has_no_score() -> None:
    assert score_forecasts([second(0, 100, 104)]) == {2: ForecastScore(0, None, None, None)}


def test_a_session_without_forecasts_has_no_horizons() -> None:
    assert score_forecasts([Second(0, 100, (), {})]) == {}


def test_an_activity_counts_for_the_five_seconds_it_was_told_from_and_an_unsure_one_as_unknown() -> None:
    told = {4: ("walk", False), 9: ("run", False), 14: ("run", True), 19: ("run", False)}
    doing = {t_s: CurrentActivity(label, 0.9, unknown, None) for t_s, (label, unknown) in told.items()}
    seconds = [Second(t_s, 100.0, (), {}, activity=doing.get(t_s)) for t_s in range(20)]
    assert activity_seconds(seconds) == {"run": 10, "walk": 5, "unknown": 5}
    assert activity_seconds(seconds[:4]) == {}


def ride(seconds: int, stops: dict[int, int]) -> list[Second]:
    """A ride at 200 W with stops of some seconds: heart rate rises by 1 bpm a second to 160 and falls by 0.5 to 80."""
    bpm, made = 80.0, []
    for t_s in range(seconds):
        rests = any(begin_s < t_s <= begin_s + length_s for begin_s, length_s in stops.items())
        bpm = max(bpm - 0.5, 80.0) if rests else min(bpm + 1.0, 160.0)
        made.append(Second(t_s, bpm, (), {}, power_w=0.0 if rests else 200.0))
    return made


def test_a_recovery_is_how_far_heart_rate_fell_60_and_120_s_after_the_effort() -> None:
    assert measure_recoveries(ride(700, {300: 200})) == (MeasuredRecovery(300, "power_w", 160.0, 30.0, 60.0),)


def test_a_fall_is_measured_as_far_as_the_rest_lasted_and_a_short_rest_is_no_recovery() -> None:
    seconds = ride(900, {200: 30, 400: 80})
    assert measure_recoveries(seconds) == (MeasuredRecovery(400, "power_w", 160.0, 30.0, None),)
    assert measure_recoveries(seconds[:450]) == ()


def test_a_heart_rate_that_is_missing_when_it_counts_is_the_last_one_of_at_most_12_s() -> None:
    seconds = ride(700, {300: 200})
    lost = {*range(355, 361), *range(400, 421)}
    holes = [msgspec.structs.replace(s, heart_rate_bpm=None) if s.t_s in lost else s for s in seconds]
    assert measure_recoveries(holes) == (MeasuredRecovery(300, "power_w", 160.0, 27.0, None),)


def test_a_stop_that_heart_rate_alone_shows_says_so() -> None:
    (recovery,) = measure_recoveries([Second(s.t_s, s.heart_rate_bpm, (), {}) for s in ride(700, {300: 200})])
    assert recovery.load is None
    assert abs(recovery.stop_t_s - 300) <= 2
    assert recovery.hrr60_bpm == pytest.approx(30, abs=1)
