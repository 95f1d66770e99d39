"""One second of a session, as every room to the right of the sensors sees it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Frame:
    """One second on the 1 Hz grid; None where nothing valid was measured.

    Attributes:
        t_s: seconds since the session began.
        heart_rate_bpm: heart rate in bpm.
        rr_intervals_ms: beat-to-beat intervals that arrived within this second, in ms.
        speed_mps: speed in m/s.
        cadence_rpm: revolutions of one crank or one leg per minute (half the steps per minute).
        power_w: mechanical power in W.
        altitude_m: altitude in m.
    """

    t_s: int
    heart_rate_bpm: float | None = None
    rr_intervals_ms: tuple[float, ...] = ()
    speed_mps: float | None = None
    cadence_rpm: float | None = None
    power_w: float | None = None
    altitude_m: float | None = None
