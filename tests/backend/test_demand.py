"""Sessions by hour and weekday, and next week's demand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heartline_backend.demand import TooFewWeeksError, closures, demand, forecast, weekly_counts
from tests.demand.gyms import gym

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 3, 30)  # the day after clocks went forward
NOON = datetime(2026, 3, 30, 12, tzinfo=UTC)


def test_sessions_are_counted_by_the_hours_of_the_gym_over_a_change_of_its_clock() -> None:
    at_seven = [
        datetime(2026, 3, 23, 6, tzinfo=UTC),  # winter time
        datetime(2026, 3, 29, 5, tzinfo=UTC),  # summer time, the same 7 o'clock
    ]
    counts = weekly_counts([start.astimezone(BERLIN) for start in at_seven], MONDAY)
    assert counts.shape == (1, 7, 24)
    assert counts[0, 0, 7] == counts[0, 6, 7] == 1
    assert counts.sum() == 2


def test_a_week_that_began_before_the_first_session_is_not_counted_nor_is_the_one_in_progress() -> None:
    starts = [datetime(2026, 3, 12, 8, tzinfo=BERLIN) + timedelta(days=days) for days in range(20)]
    found = demand(starts, NOON, BERLIN)
    assert (found.monday, found.weeks) == (MONDAY, 2)
    assert found.baseline.sum() == 7


def test_a_gym_of_a_week_is_told_to_wait() -> None:
    with pytest.raises(TooFewWeeksError, match="1 whole weeks of sessions, and a forecast needs 2"):
        demand([NOON - timedelta(days=8)], NOON, BERLIN)
    with pytest.raises(TooFewWeeksError):
        demand([], NOON, BERLIN)


def test_a_closed_day_is_found_and_teaches_nothing() -> None:
    open_all_days = np.zeros((8, 7, 24))
    open_all_days[:, :, 17] = 12
    with_holiday = open_all_days.copy()
    with_holiday[-1, 3] = 0
    assert [tuple(map(int, day)) for day in np.argwhere(closures(with_holiday))] == [(7, 3)]
    np.testing.assert_allclose(forecast(with_holiday).expected, forecast(open_all_days).expected)


def test_a_gym_that_has_grown_was_not_closed_before() -> None:
    weeks = np.zeros((10, 7, 24))
    weeks[:, :, 17] = np.array([1, 1, 2, 3, 5, 8, 12, 16, 20, 22])[:, np.newaxis]
    assert not closures(weeks).any()
    assert forecast(weeks).expected[0, 17] > 18


def test_made_up_gyms_are_forecast_better_than_by_last_week_and_it_says_so() -> None:
    for seed in range(3):
        weeks = gym(seed, 20)
        begin = datetime.combine(MONDAY - timedelta(weeks=len(weeks)), datetime.min.time(), BERLIN)
        hours = np.repeat(np.arange(weeks.size), weeks.reshape(-1).astype(int))
        found = demand([begin + timedelta(hours=int(hour)) for hour in hours], NOON, BERLIN)
        assert found.beats_the_baseline
        assert found.inside is not None
        assert found.inside > 0.75


def test_where_last_week_is_all_there_is_to_know_it_says_that_it_is_no_better() -> None:
    # Every other week has another timetable, but the last two are alike.
    starts = [
        datetime(2026, 3, 2, 8, tzinfo=BERLIN) + timedelta(weeks=week, hours=2 * (week == 0), minutes=number)
        for week in range(4)
        for number in range(9)
    ]
    found = demand(starts, NOON, BERLIN)
    assert found.scored_weeks == 2
    assert found.baseline_mae == 0
    assert found.beats_the_baseline is False


@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.sampled_from([0, 0.01, 1, 300]), st.floats(0, 1))
def test_any_counts_give_finite_numbers_in_order(seed: int, count: int, mean: float, closed: float) -> None:
    random = np.random.default_rng(seed)
    weeks = random.poisson(mean, (count, 7, 24)) * (random.random((count, 7, 1)) >= closed)
    made = forecast(weeks.astype(float))
    assert np.isfinite(made.expected).all()
    assert (made.expected >= 0).all()
    assert ((made.low <= made.middle) & (made.middle <= made.high)).all()
