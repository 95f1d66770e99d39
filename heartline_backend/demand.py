"""How many sessions begin in which hour of the week, and how many will next week.

The expected week is a mean of the past weeks, recent ones counting more, scaled to the level of the last ones. Days on
which next to nobody came, although many were expected, are taken for closures and teach nothing. Around each hour's
expectation lies a negative binomial distribution, for sessions come in groups and scatter more than single ones would.
Its median is the forecast of that hour; forecasts of days and weeks are sums of what is expected.

The baseline is the same hour of last week. Both are scored on the weeks that have passed, each forecast from the weeks
before it alone; where the forecast was no better, `beats_the_baseline` says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from heartline_backend.errors import BackendError

HOURS, DAYS = 24, 7
Week = NDArray[np.float64]  # sessions, (7, 24): Monday first, by the hour in which they began

# What the past counts for halves every few weeks (see below): of what was longer ago nothing is left.
PAST = timedelta(weeks=104)

# Weeks that are needed before anything is said: one to learn from and one more to see what changes.
FEWEST_WEEKS = 2

# Half-lives in weeks of what the past counts for: timetables last a season, and a gym's level moves within weeks. Both,
# and for how many sessions the usual level counts against the recent one, were chosen on made-up gyms other than those
# that `python -m tests.demand` scores; twice as much or half of any of them costs less than 2 % of the error.
_HABIT_HALF_LIFE_WEEKS, _LEVEL_HALF_LIFE_WEEKS, _LEVEL_SESSIONS = 3.0, 1.0, 20.0

# A day is taken for a closure when a tenth of what was expected came, at most, and that was enough for it to be no
# accident.
_CLOSED_SHARE, _CLOSED_SESSIONS = 0.1, 8.0

# Most past weeks that the forecast is scored on; and quantiles of its interval.
_SCORED_WEEKS = 26
_LOW, _MIDDLE, _HIGH = 0.1, 0.5, 0.9


class TooFewWeeksError(BackendError):
    """There are too few whole weeks of sessions to forecast from."""

    def __init__(self, weeks: int) -> None:
        super().__init__(
            f"{weeks} whole weeks of sessions, and a forecast needs {FEWEST_WEEKS}; wait, or import older ones"
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """A week of sessions by the hour in which they begin; arrays of (7, 24), Monday first.

    Attributes:
        usual: mean of all past weeks.
        expected: mean number of sessions in the coming week.
        low: tenth percentile of their number.
        middle: their median.
        high: ninetieth percentile.
    """

    usual: Week
    expected: Week
    low: Week
    middle: Week
    high: Week


@dataclass(frozen=True, slots=True)
class Demand:
    """What came, and what is expected.

    Attributes:
        monday: first day of the week that is forecast.
        weeks: whole weeks that it was learned from.
        closed: past days that were taken for closures.
        forecast: for that week.
        baseline: sessions of last week.
        scored_weeks: past weeks on which forecast and baseline are compared.
        mae: mean absolute error of the forecast in sessions per hour, over every hour of those weeks; None when no week
            is scored.
        baseline_mae: the same of the baseline.
        inside: share of the hours in which at least one session was expected whose number lay in the interval; 0.8 is
            what it claims. None when there are none.
    """

    monday: date
    weeks: int
    closed: tuple[date, ...]
    forecast: Forecast
    baseline: Week
    scored_weeks: int
    mae: float | None
    baseline_mae: float | None
    inside: float | None

    def plain(self) -> dict[str, object]:
        """The same for JSON: the days by date, each with 24 numbers."""
        told: dict[str, object] = {
            name: getattr(self, name)
            for name in ("monday", "weeks", "closed", "scored_weeks", "mae", "baseline_mae", "inside")
        }
        arrays = {name: getattr(self.forecast, name) for name in ("usual", "expected", "low", "middle", "high")}
        days = [(self.monday + timedelta(days=day)).isoformat() for day in range(DAYS)]
        for name, week in (*arrays.items(), ("baseline", self.baseline)):
            told[name] = dict(zip(days, week.round(2).tolist(), strict=True))
        return told

    @property
    def beats_the_baseline(self) -> bool | None:
        """Whether the forecast was better than the same hour of last week; None when no week is scored."""
        return None if self.mae is None or self.baseline_mae is None else self.mae < self.baseline_mae


def demand(starts: Iterable[datetime], until: datetime, zone: ZoneInfo) -> Demand:
    """Count sessions by the hour of the week, and forecast the week that `until` lies in.

    Args:
        starts: when each session began, with a time zone.
        until: now; the week it lies in is forecast, the weeks before it are learned from.
        zone: the hours and weekdays are those of.

    Raises:
        TooFewWeeksError: nothing can be said yet.
    """
    local = [start.astimezone(zone) for start in starts]
    today = until.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    weeks = weekly_counts(local, monday)
    if len(weeks) < FEWEST_WEEKS:
        raise TooFewWeeksError(len(weeks))
    first = monday - timedelta(weeks=len(weeks))
    closed = closures(weeks)
    errors, baseline_errors, inside = [], [], []
    scored = range(max(FEWEST_WEEKS, len(weeks) - _SCORED_WEEKS), len(weeks))
    for number in scored:
        then, came = forecast(weeks[:number]), weeks[number]
        errors.append(np.abs(then.middle - came))
        baseline_errors.append(np.abs(weeks[number - 1] - came))
        inside.append(((then.low <= came) & (came <= then.high))[then.expected >= 1])
    return Demand(
        monday=monday,
        weeks=len(weeks),
        closed=tuple(first + timedelta(days=int(day)) for day in np.flatnonzero(closed.reshape(-1))),
        forecast=forecast(weeks),
        baseline=weeks[-1],
        scored_weeks=len(scored),
        mae=_mean(errors),
        baseline_mae=_mean(baseline_errors),
        inside=_mean(inside),
    )


def weekly_counts(local: Iterable[datetime], monday: date) -> NDArray[np.float64]:
    """Sessions by hour, (weeks, 7, 24), of the whole weeks before a Monday; the first one is that of the first Monday.

    Args:
        local: when each session began, in the zone whose hours are counted.
        monday: first day that is no longer counted.
    """
    past = [start for start in local if start.date() < monday]
    if not past:
        return np.zeros((0, DAYS, HOURS))
    begin = min(start.date() for start in past)
    first = begin + timedelta(days=-begin.weekday() % DAYS)
    counts = np.zeros((max((monday - first).days, 0), HOURS))
    for start in past:
        if (day := (start.date() - first).days) >= 0:
            counts[day, start.hour] += 1
    return counts.reshape(-1, DAYS, HOURS)


def closures(weeks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which days were closures, (weeks, 7): next to nobody came, although many come on other such days."""
    days = weeks.sum(axis=2)
    usual = np.median(days, axis=0, keepdims=True)
    # Where a gym has grown, its first weeks are no closures: a day is measured by the level of its own week, too.
    level = np.median(days / np.maximum(usual, 1.0), axis=1, keepdims=True)
    wanted = usual * np.where(level > 0, np.minimum(level, 1.0), 1.0)
    closed: NDArray[np.bool_] = (wanted >= _CLOSED_SESSIONS) & (days <= _CLOSED_SHARE * wanted)
    return closed


def forecast(weeks: NDArray[np.float64]) -> Forecast:
    """Forecast the week after some weeks of counts, (weeks, 7, 24)."""
    age = np.arange(len(weeks), 0, -1.0) - 1
    is_open = ~closures(weeks)[:, :, np.newaxis]
    habit = 0.5 ** (age / _HABIT_HALF_LIFE_WEEKS)[:, np.newaxis, np.newaxis] * is_open
    habitual = (habit * weeks).sum(axis=0) / np.maximum(habit.sum(axis=0), 1e-9)
    recent = 0.5 ** (age / _LEVEL_HALF_LIFE_WEEKS)[:, np.newaxis, np.newaxis] * is_open
    came, wanted = float((recent * weeks).sum()), float((recent * habitual).sum())
    expected = habitual * (came + _LEVEL_SESSIONS) / (wanted + _LEVEL_SESSIONS)
    scatter = _scatter(weeks, habitual, is_open)
    low, middle, high = (_quantile(expected, scatter, share) for share in (_LOW, _MIDDLE, _HIGH))
    return Forecast(weeks.mean(axis=0), expected, low, middle, high)


def _scatter(weeks: NDArray[np.float64], habitual: Week, is_open: NDArray[np.bool_]) -> float:
    """How much more than single sessions the counts scatter: variance = mean + scatter * mean²."""
    totals = (weeks * is_open).sum(axis=(1, 2)), (habitual * is_open).sum(axis=(1, 2))
    level = np.divide(*totals, out=np.ones(len(weeks)), where=totals[1] > 0)[:, np.newaxis, np.newaxis]
    mean = level * habitual * is_open
    excess = float(((weeks * is_open - mean) ** 2 - mean).sum())
    return max(excess / max(float((mean**2).sum()), 1e-9), 0.0)


def _quantile(mean: Week, scatter: float, share: float) -> Week:
    """Quantile of a negative binomial distribution of this mean; next to Poisson's when nothing scatters more."""
    size = 1 / max(scatter, 1e-6)
    log_odds = np.log(np.maximum(mean / (mean + size), 1e-300))
    log_probability = -size * np.log1p(mean / size)  # of none; the others follow one from another
    below, count = np.exp(log_probability), np.zeros_like(mean)
    for k in range(1, 10 * math.ceil(float(mean.max())) + 50):
        if (todo := below < share).any():
            count[todo] = k
            log_probability = log_probability + log_odds + math.log((size + k - 1) / k)
            below = below + np.exp(log_probability)
        else:
            break
    return count


def _mean(parts: list[NDArray[np.float64]] | list[NDArray[np.bool_]]) -> float | None:
    values = np.concatenate([part.reshape(-1) for part in parts]) if parts else np.zeros(0)
    return float(values.mean()) if values.size else None
