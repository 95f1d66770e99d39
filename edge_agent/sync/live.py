"""A live value, as it is published."""

from __future__ import annotations

import uuid

import msgspec

from edge_agent.inference.forecast import Forecast
from edge_agent.inference.recovery import Recovery

SCHEMA = 1


class Live(msgspec.Struct, frozen=True):
    """What an athlete's sensors say now.

    While there is no heart rate, it is told once that there is none, and nothing after that.

    Attributes:
        schema: version of this layout.
        athlete: as they are called on the wire.
        at: ISO 8601, UTC, by the clock of then.
        time_trusted: whether the device knew the time then.
        session_id: UUID of the session, None where none is recorded.
        t_s: second of that session.
        heart_rate_bpm: None without a signal.
        forecast: seconds ahead to quantiles in bpm; empty without a signal.
        speed_mps: None where no sensor gives it; likewise the others.
        cadence_rpm: of one crank or one leg.
        power_w: mechanical.
        activity: what the athlete does, None where that is not known.
        recovery: how the recovery from an effort goes on, None outside of one.
    """

    schema: int
    athlete: str
    at: str
    time_trusted: bool
    session_id: uuid.UUID | None
    t_s: int | None
    heart_rate_bpm: float | None
    forecast: Forecast
    speed_mps: float | None = None
    cadence_rpm: float | None = None
    power_w: float | None = None
    activity: str | None = None
    recovery: Recovery | None = None
