"""What is kept of a session in one page, computed from its journalled seconds alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.forecast import Forecast
from edge_agent.signals.acceleration import WINDOW_S
from edge_agent.signals.effort import HOLD_S, EffortDetector, EffortStop
from edge_agent.signals.frame import Frame
from edge_agent.signals.recovery import HORIZONS_S

SCHEMA = 2


class Second(msgspec.Struct, frozen=True):
    """One journalled second: what was measured, and what was forecast from it.

    Attributes:
        t_s: seconds since the session began.
        heart_rate_bpm: None where there was none.
        rr_intervals_ms: beat-to-beat intervals that arrived in it.
        forecast: seconds ahead to quantiles in bpm.
        speed_mps: None where no sensor gave it; likewise the others.
        cadence_rpm: of one crank or one leg.
        power_w: mechanical.
        altitude_m: above the sea or the start, as its source counts.
        activity: what the last five seconds of acceleration were, in the second in which that was known; None in the
            others, and without acceleration.
    """

    t_s: int
    heart_rate_bpm: float | None
    rr_intervals_ms: tuple[float, ...]
    forecast: Forecast
    speed_mps: float | None = None
    cadence_rpm: float | None = None
    power_w: float | None = None
    altitude_m: float | None = None
    activity: CurrentActivity | None = None


def second_of(frame: Frame, forecast: Forecast, activity: CurrentActivity | None = None) -> Second:
    """What the journal holds of a frame, of what was forecast from it, and of an activity that became known with it."""
    return Second(
        frame.t_s,
        frame.heart_rate_bpm,
        frame.rr_intervals_ms,
        forecast,
        frame.speed_mps,
        frame.cadence_rpm,
        frame.power_w,
        frame.altitude_m,
        activity,
    )


def frame_of(second: Second) -> Frame:
    """The frame that a journalled second was."""
    return Frame(
        second.t_s,
        second.heart_rate_bpm,
        second.rr_intervals_ms,
        second.speed_mps,
        second.cadence_rpm,
        second.power_w,
        second.altitude_m,
    )


class ForecastScore(msgspec.Struct, frozen=True):
    """How far the forecasts of a session were off.

    Attributes:
        scored: forecasts whose outcome was measured.
        mae_bpm: mean absolute error of their median, None when none was scored.
        persistence_mae_bpm: the same of showing the last value instead, on the same seconds.
        inside_q10_q90: share of outcomes between the outer quantiles; 0.8 is what they claim.
    """

    scored: int
    mae_bpm: float | None
    persistence_mae_bpm: float | None
    inside_q10_q90: float | None


class MeasuredRecovery(msgspec.Struct, frozen=True):
    """How far heart rate fell after an effort.

    Attributes:
        stop_t_s: last second of the effort, counted from the session's first.
        load: the load that fell away then, `power_w`, `speed_mps` or `cadence_rpm`; None where the stop was found from
            heart rate alone, which takes a slower stretch for one now and then.
        heart_rate_bpm: at the stop.
        hrr60_bpm: by how much it was lower 60 s later; None where it was not measured, or the next effort had begun.
        hrr120_bpm: likewise, 120 s later.
    """

    stop_t_s: int
    load: str | None
    heart_rate_bpm: float
    hrr60_bpm: float | None
    hrr120_bpm: float | None


class Summary(msgspec.Struct, frozen=True):
    """A session in one page; the payload of the message to the broker.

    Attributes:
        schema: version of this layout.
        session_id: UUID of version 7; of version 5 for a recording, which has the same one whenever it is replayed.
        revision: 1, and one more each time the session is dated anew; a higher one replaces a lower one.
        historical: whether a recording was replayed.
        athlete: label from the configuration.
        started_at: ISO 8601, UTC.
        time_trusted: whether the device knew the time then.
        interrupted: whether the agent was cut off and closed the session when it came back.
        duration_s: seconds from the first to the last heart rate.
        recorded_s: seconds with a heart rate.
        heart_rate_min_bpm: None when no second had a heart rate; likewise mean and maximum.
        heart_rate_mean_bpm: over the seconds with a heart rate.
        heart_rate_max_bpm: the highest second.
        rr_interval_count: beat-to-beat intervals recorded.
        forecast: seconds ahead to its score.
        model_version: of the workout model.
        agent_version: of heartline.
        activity_s: seconds of each activity that acceleration told, `unknown` among them; empty without acceleration.
        lap_ends_s: last second of each lap that was marked, counted from the session's first.
        recoveries: after each effort that was seen to stop and not taken up again within a minute.
    """

    schema: int
    session_id: str
    revision: int
    historical: bool
    athlete: str
    started_at: str
    time_trusted: bool
    interrupted: bool
    duration_s: int
    recorded_s: int
    heart_rate_min_bpm: float | None
    heart_rate_mean_bpm: float | None
    heart_rate_max_bpm: float | None
    rr_interval_count: int
    forecast: dict[int, ForecastScore]
    model_version: str
    agent_version: str
    activity_s: dict[str, int] = {}
    lap_ends_s: tuple[int, ...] = ()
    recoveries: tuple[MeasuredRecovery, ...] = ()


def score_forecasts(seconds: Sequence[Second]) -> dict[int, ForecastScore]:
    """Compare every forecast with what was measured at its time, beside the last value on the same seconds."""
    measured = {s.t_s: s.heart_rate_bpm for s in seconds if s.heart_rate_bpm is not None}
    scores = {}
    for horizon_s in sorted({h for s in seconds for h in s.forecast}):
        errors, persistence_errors, inside = [], [], 0
        for second in seconds:
            quantiles, outcome = second.forecast.get(horizon_s), measured.get(second.t_s + horizon_s)
            if quantiles is None or outcome is None or second.heart_rate_bpm is None:
                continue
            errors.append(abs(quantiles.q50 - outcome))
            persistence_errors.append(abs(second.heart_rate_bpm - outcome))
            inside += quantiles.q10 <= outcome <= quantiles.q90
        count = len(errors)
        scores[horizon_s] = ForecastScore(
            scored=count,
            mae_bpm=round(sum(errors) / count, 3) if count else None,
            persistence_mae_bpm=round(sum(persistence_errors) / count, 3) if count else None,
            inside_q10_q90=round(inside / count, 3) if count else None,
        )
    return scores


def activity_seconds(seconds: Sequence[Second]) -> dict[str, int]:
    """How long each activity was done, the longest first; what was too little to go by counts as `unknown`."""
    windows = Counter("unknown" if s.activity.unknown else s.activity.label for s in seconds if s.activity)
    return {label: count * WINDOW_S for label, count in windows.most_common()}


def measure_recoveries(seconds: Sequence[Second]) -> tuple[MeasuredRecovery, ...]:
    """Find where efforts stopped, as the live agent does, and measure the falls of heart rate after them.

    A heart rate that is missing in the very second is the last one before it, up to 12 s old. Where none of the two
    falls can be measured there is no recovery.
    """
    detector = EffortDetector()
    measured: dict[int, float] = {}
    lasted: dict[EffortStop, int] = {}  # until which second
    for second in seconds:
        if second.heart_rate_bpm is not None:
            measured[second.t_s] = second.heart_rate_bpm
        detector.step(frame_of(second))
        if detector.stop is not None:
            lasted[detector.stop] = second.t_s

    def at(t_s: int) -> float | None:
        return next((measured[s] for s in range(t_s, t_s - HOLD_S - 1, -1) if s in measured), None)

    recoveries = []
    for stop, last_s in lasted.items():
        now_bpm, *later_bpm = (at(stop.stop_t_s + h) if stop.stop_t_s + h <= last_s else None for h in (0, *HORIZONS_S))
        falls_bpm = [None if now_bpm is None or bpm is None else round(now_bpm - bpm, 2) for bpm in later_bpm]
        if now_bpm is not None and falls_bpm != [None, None]:
            recoveries.append(MeasuredRecovery(stop.stop_t_s, stop.channel, now_bpm, *falls_bpm))
    return tuple(recoveries)
