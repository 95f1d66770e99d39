"""What a summary says of forecasts and activities, on hand-made seconds."""

from __future__ import annotations

from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.forecast import Quantiles
from edge_agent.store.summary import ForecastScore, Second, activity_seconds, score_forecasts


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
