"""Made-up gyms: how many sessions begin in each hour of some weeks.

Nothing here is shared with the forecast. A gym has opening hours, people who come in the morning, at noon and in the
evening, fewer and later at weekends, and a timetable of classes that changes every quarter. Its level drifts, rises in
January, falls in summer, and may step up or down once; a day's weather moves everybody; on public holidays and in one
week of the year it is closed. Who comes is Poisson-distributed around a gamma-distributed rate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DAYS, HOURS = 7, 24

_CLASS_WEEKS = 13
_HOLIDAYS = 9


def gym(seed: int, weeks: int) -> NDArray[np.float64]:
    """Sessions of a gym, (weeks, 7, 24); it has 40 to 1,500 a week."""
    random = np.random.default_rng(seed)
    size = np.exp(random.uniform(np.log(40), np.log(1500)))
    opening, closing = random.integers(5, 8), random.integers(21, 24)
    by_hour = np.stack([_habits(random, weekend=day >= 5) for day in range(DAYS)])
    by_hour[:, :opening] = 0
    by_hour[:, closing:] = 0
    by_hour[6] *= random.uniform(0.3, 0.9)
    by_hour /= by_hour.sum()
    level = _level(random, weeks)
    weather = np.exp(random.normal(0, 0.12, (weeks, DAYS)))
    is_open = _open_days(random, weeks)
    classes_share = random.uniform(0, 0.4)
    rate = np.empty((weeks, DAYS, HOURS))
    for week in range(weeks):
        if week % _CLASS_WEEKS == 0:
            classes = _classes(random, opening, closing)
        rate[week] = size * level[week] * ((1 - classes_share) * by_hour + classes_share * classes)
    rate *= (weather * is_open)[:, :, np.newaxis]
    scatter = random.uniform(0.02, 0.2)
    return random.poisson(random.gamma(1 / scatter, scatter, rate.shape) * rate).astype(float)


def _habits(random: np.random.Generator, *, weekend: bool) -> NDArray[np.float64]:
    hours = np.arange(HOURS) + 0.5
    peaks = ((10.5, 2.0, 1.0), (16.0, 2.5, 0.6)) if weekend else ((7.2, 1.2, 0.7), (12.3, 0.9, 0.4), (18.2, 1.7, 1.4))
    day = np.zeros(HOURS)
    for hour, width, weight in peaks:
        at, wide = hour + random.normal(0, 0.5), width * random.uniform(0.8, 1.3)
        day += weight * random.uniform(0.5, 1.5) * np.exp(-(((hours - at) / wide) ** 2) / 2) / wide
    return day * (0.6 if weekend else 1.0) * random.uniform(0.85, 1.15)


def _classes(random: np.random.Generator, opening: int, closing: int) -> NDArray[np.float64]:
    timetable = np.zeros((DAYS, HOURS))
    for _ in range(random.integers(6, 20)):
        timetable[random.integers(DAYS), random.integers(opening, closing)] += 1
    shares: NDArray[np.float64] = timetable / timetable.sum()
    return shares


def _level(random: np.random.Generator, weeks: int) -> NDArray[np.float64]:
    week = np.arange(weeks)
    first = random.integers(52)
    of_year = (week + first) % 52
    yearly = 0.25 * np.exp(-of_year / 5) - 0.15 * np.exp(-(((of_year - 30) / 4.0) ** 2) / 2)
    drift = np.cumsum(random.normal(0, 0.03, weeks)) + random.uniform(-0.3, 0.3) * week / 52
    step = random.choice([0.0, 0.25, -0.25]) * (week >= random.integers(weeks))
    level: NDArray[np.float64] = np.exp(yearly + drift + step)
    return level


def _open_days(random: np.random.Generator, weeks: int) -> NDArray[np.float64]:
    is_open = np.ones((weeks, DAYS))
    days = random.choice(weeks * DAYS, round(_HOLIDAYS * weeks / 52), replace=False)
    is_open.reshape(-1)[days] = 0
    is_open[random.integers(4, weeks)] = 0
    return is_open
