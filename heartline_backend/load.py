"""Training load by athlete and week, from what a session's summary says.

The load of a session is Banister's training impulse (TRIMP; Banister, "Modeling elite athletic performance", in:
Physiological testing of elite athletes, 1991), which was made for the mean heart rate of a session:

    load = minutes * r * 0.64 * exp(1.92 * r),   r = (mean - resting) / (maximum - resting), from 0 to 1

in arbitrary units, with his coefficients for men. It compares the weeks of one athlete; between athletes it compares no
more than their resting and maximum heart rates are known.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import msgspec

from heartline_backend.store.rows import Session

# Where nothing better is known. An athlete who was seen lower or higher moves them.
DEFAULT_RESTING_BPM, DEFAULT_MAX_BPM = 60.0, 190.0


class WeekLoad(msgspec.Struct, frozen=True):
    """One week of an athlete.

    Attributes:
        device: that knows the athlete.
        athlete: label.
        week: of ISO 8601, e.g. `2026-W10`.
        sessions: in it.
        recorded_min: minutes with a heart rate.
        load: their training impulse, in arbitrary units.
    """

    device: uuid.UUID
    athlete: str
    week: str
    sessions: int
    recorded_min: float
    load: float


@dataclass(slots=True)
class _Career:
    """What was seen of an athlete; by week the minutes and the mean heart rate of each session."""

    lowest_bpm: float = math.inf
    highest_bpm: float = -math.inf
    weeks: dict[str, list[tuple[float, float | None]]] = field(default_factory=dict)


def weekly_load(
    sessions: Iterable[Session],
    zone: ZoneInfo,
    *,
    resting_bpm: float = DEFAULT_RESTING_BPM,
    max_bpm: float = DEFAULT_MAX_BPM,
) -> list[WeekLoad]:
    """Add up the weeks of each athlete, in order.

    Args:
        sessions: all of an athlete's; those whose date is not known are left out.
        zone: in which a week begins.
        resting_bpm: of an athlete who was never seen lower.
        max_bpm: of an athlete who was never seen higher.
    """
    careers: dict[tuple[str, uuid.UUID], _Career] = {}
    for session in sessions:
        if not session.time_trusted:
            continue
        career = careers.setdefault((session.athlete, session.device), _Career())
        if session.heart_rate_min_bpm is not None and session.heart_rate_max_bpm is not None:
            career.lowest_bpm = min(career.lowest_bpm, session.heart_rate_min_bpm)
            career.highest_bpm = max(career.highest_bpm, session.heart_rate_max_bpm)
        year, week, _ = session.started_at.astimezone(zone).isocalendar()
        done = career.weeks.setdefault(f"{year}-W{week:02d}", [])
        done.append((session.recorded_s / 60, session.heart_rate_mean_bpm))
    return [
        WeekLoad(
            device,
            athlete,
            week,
            len(done),
            round(sum(minutes for minutes, _ in done), 1),
            round(
                sum(
                    _trimp(minutes, mean, min(resting_bpm, career.lowest_bpm), max(max_bpm, career.highest_bpm))
                    for minutes, mean in done
                    if mean is not None
                ),
                1,
            ),
        )
        for (athlete, device), career in sorted(careers.items(), key=lambda item: item[0])
        for week, done in sorted(career.weeks.items())
    ]


def _trimp(minutes: float, mean_bpm: float, resting_bpm: float, max_bpm: float) -> float:
    reserve = min(max((mean_bpm - resting_bpm) / (max_bpm - resting_bpm), 0.0), 1.0) if max_bpm > resting_bpm else 0.0
    return minutes * reserve * 0.64 * math.exp(1.92 * reserve)
