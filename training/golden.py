"""A made-up session that a model is compared on: nobody's heart rate has to be shipped with a bundle."""

from __future__ import annotations

import math
from collections.abc import Iterator

from edge_agent.signals.frame import Frame

_EFFORT_S = 97  # a prime, so that efforts, hills and missing sensors meet in ever new ways
_HILL_S = 61
_SENSORS_S = 20  # each sensor in turn is away for this long


def golden_frames(seconds: int) -> Iterator[Frame]:
    """Intervals over hills, with power, in which each sensor goes missing in turn.

    Heart rate follows the load with a first-order lag; it is rounded to whole beats as straps do.

    Args:
        seconds: length of the session.
    """
    heart_rate_bpm = 80.0
    for t_s in range(seconds):
        effort = 1.0 if (t_s // _EFFORT_S) % 2 else 0.4
        hill = math.sin(2 * math.pi * t_s / _HILL_S)
        heart_rate_bpm += (90.0 + 70.0 * effort + 8.0 * hill - heart_rate_bpm) / 30.0
        away = (t_s // _SENSORS_S) % 8  # 0-3 nothing is missing
        yield Frame(
            t_s=t_s,
            heart_rate_bpm=None if away == 7 and t_s % 11 == 0 else float(round(heart_rate_bpm)),  # noqa: PLR2004
            speed_mps=None if away == 4 else 1.2 + 2.5 * effort - 0.4 * hill,  # noqa: PLR2004
            cadence_rpm=None if away == 5 else 55.0 + 30.0 * effort,  # noqa: PLR2004
            power_w=None if away == 6 else 60.0 + 200.0 * effort + 20.0 * hill,  # noqa: PLR2004
            altitude_m=100.0 + 6.0 * round(hill, 1),
        )
