"""Training load by athlete and week."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.store.summary import Summary
from heartline_backend.config import StoreConfig
from heartline_backend.load import WeekLoad, weekly_load
from heartline_backend.store.open import open_store
from heartline_backend.store.rows import Session
from tests.backend.samples import NOON, a_summary, message

UTC_ZONE = ZoneInfo("UTC")


def stored(folder: Path, summaries: Iterable[Summary]) -> list[Session]:
    with open_store(StoreConfig(file=folder / "backend.sqlite3")) as store:
        store.keep([message(summary) for summary in summaries], [], NOON)
        return list(store.sessions())


def only(weeks: list[WeekLoad]) -> WeekLoad:
    (week,) = weeks
    return week


def test_the_load_of_a_session_is_banisters_impulse(tmp_path: Path) -> None:
    week = only(weekly_load(stored(tmp_path, [a_summary(duration_s=3600, heart_rate_mean_bpm=125.0)]), UTC_ZONE))
    reserve = (125 - 60) / (190 - 60)
    assert week.load == pytest.approx(60 * reserve * 0.64 * math.exp(1.92 * reserve), abs=0.05)
    assert (week.week, week.sessions, week.recorded_min) == ("2026-W10", 1, 60.0)


def test_who_was_seen_lower_or_higher_has_those_limits_in_all_weeks(tmp_path: Path) -> None:
    hard = a_summary(started_at=NOON + timedelta(days=7), heart_rate_mean_bpm=165.0)  # up to 205
    easy = a_summary(heart_rate_mean_bpm=110.0)  # down to 50
    first, second = weekly_load(stored(tmp_path, [hard, easy]), UTC_ZONE)
    for week, mean_bpm in ((first, 110), (second, 165)):
        reserve = (mean_bpm - 50) / (205 - 50)
        assert week.load == pytest.approx(30 * reserve * 0.64 * math.exp(1.92 * reserve), abs=0.05)


def test_weeks_begin_on_monday_at_midnight_of_the_zone(tmp_path: Path) -> None:
    sunday_evening = datetime.fromisoformat("2026-03-01T23:30:00+00:00")  # Monday in Berlin
    sessions = stored(tmp_path, [a_summary(started_at=sunday_evening)])
    assert only(weekly_load(sessions, UTC_ZONE)).week == "2026-W09"
    assert only(weekly_load(sessions, ZoneInfo("Europe/Berlin"))).week == "2026-W10"


def test_sessions_of_one_week_add_up_and_those_of_unknown_date_are_left_out(tmp_path: Path) -> None:
    one = a_summary()
    other = a_summary(started_at=NOON + timedelta(days=1), heart_rate_mean_bpm=None)
    undated = a_summary(started_at=NOON + timedelta(days=2), time_trusted=False)
    week = only(weekly_load(stored(tmp_path, [one, other, undated]), UTC_ZONE))
    assert (week.sessions, week.recorded_min) == (2, 60.0)
    assert week.load == only(weekly_load(stored(tmp_path, [one])[:1], UTC_ZONE)).load


def test_an_athlete_at_rest_has_no_load_and_nobody_more_than_all_of_the_reserve(tmp_path: Path) -> None:
    rest = a_summary(athlete="a", heart_rate_mean_bpm=60.0)
    assert only(weekly_load(stored(tmp_path, [rest]), UTC_ZONE, resting_bpm=60)).load > 0  # who was at 0 bpm, too
    assert only(weekly_load(stored(tmp_path, [rest]), UTC_ZONE, max_bpm=10)).load <= 30 * 0.64 * math.exp(1.92)
