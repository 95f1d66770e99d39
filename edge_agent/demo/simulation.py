"""What a strap would measure: the heart of a simulated athlete, beat by beat, or the one in a recording.

Heart rate follows effort as a first-order system whose time constant is longer downwards than upwards.
Around it beats vary with breathing and at random, less the harder the effort. The strap sees the beats
alone, on its clock of 1/1024 s, and derives the heart rate from them, so the two agree as on a real one.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge_agent.recordings.recording import Recording

RR_UNITS_PER_S = 1024  # Heart Rate Service 1.0, 3.1.1.4: the resolution of an RR-Interval is 1/1024 s
MAX_RR_PER_PACKET = 9  # (ATT_MTU 23 - 3 of ATT header - flags - 8-bit heart rate) // 2 bytes each

# Yoshida and Whipp (1994), J Physiol 480: time constants of cardiac output, from rest to exercise and back.
ON_TAU_S = 29.4
OFF_TAU_S = 44.3
# De Smet et al. (CEUR-WS vol. 1842, paper 13): the response to constant effort grows by 11 % in an hour.
DRIFT_PER_S = 3e-5

# Chosen to look like a chest strap's signal; no model is judged by them.
_WANDER_SD_BPM = 1.5  # slow random wandering of the heart rate ...
_WANDER_TAU_S = 30.0  # ... and its correlation time
_BREATHS_PER_S = (0.25, 0.7)  # at rest, at full effort
_RSA_FRACTION = (0.04, 0.003)  # swing of RR with breathing, at rest and at full effort
_NOISE_FRACTION = (0.012, 0.003)  # beat-to-beat noise of RR, likewise
_AVERAGING_S = 5  # a strap shows the mean over its last few beats


@dataclass(frozen=True, slots=True)
class StrapSecond:
    """What a strap tells in one second.

    Attributes:
        heart_rate_bpm: heart rate; None while the strap has no skin contact.
        rr_intervals: the intervals between the beats that ended in this second, in 1/1024 s.
    """

    heart_rate_bpm: int | None
    rr_intervals: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a workout at constant effort.

    Attributes:
        duration_s: its length in s.
        effort: the heart rate it asks for, as a fraction of the range between resting and maximum.
    """

    duration_s: int
    effort: float


@dataclass(frozen=True, slots=True)
class Athlete:
    """The two ends of a person's heart-rate range, in bpm."""

    resting_bpm: float = 58.0
    maximum_bpm: float = 188.0


def interval_workout(duration_s: int) -> list[Stage]:
    """Warm-up, hard and easy intervals in turn, cool-down; `duration_s` long in all."""
    warm_up_s = cool_down_s = duration_s // 5
    stages = [Stage(warm_up_s, 0.5)]
    left_s = duration_s - warm_up_s - cool_down_s
    hard = True
    while left_s > 0:
        stage_s = min(120 if hard else 90, left_s)
        stages.append(Stage(stage_s, 0.85 if hard else 0.45))
        left_s -= stage_s
        hard = not hard
    return [*stages, Stage(cool_down_s, 0.2)]


def simulate(stages: Sequence[Stage], *, seed: int, athlete: Athlete | None = None) -> Iterator[StrapSecond]:
    """Wear the strap through a workout.

    Args:
        stages: the workout; the athlete comes to it from rest.
        seed: same seed, same beats.
        athlete: who wears it.

    Yields:
        One item per second of the workout.
    """
    athlete = athlete or Athlete()
    random = np.random.default_rng(seed)
    efforts = [0.0] * _AVERAGING_S + [stage.effort for stage in stages for _ in range(stage.duration_s)]
    reserve_bpm = athlete.maximum_bpm - athlete.resting_bpm
    response_bpm = wander_bpm = breath = 0.0  # breath: phase in breaths
    next_beat_s = 0.0
    last_tick: int | None = None
    recent: deque[tuple[int, int]] = deque()  # (second, RR) of the beats that the strap averages over

    for t_s, effort in enumerate(efforts):
        target_bpm = reserve_bpm * effort * (1 + DRIFT_PER_S * t_s)
        tau_s = ON_TAU_S if target_bpm > response_bpm else OFF_TAU_S
        response_bpm += (target_bpm - response_bpm) * -math.expm1(-1 / tau_s)
        wander_bpm -= wander_bpm / _WANDER_TAU_S
        wander_bpm += random.normal(0, _WANDER_SD_BPM * math.sqrt(2 / _WANDER_TAU_S))
        heart_rate_bpm = min(athlete.resting_bpm + response_bpm + wander_bpm, athlete.maximum_bpm)
        intensity = min(response_bpm / reserve_bpm, 1.0)

        ended: list[int] = []
        while next_beat_s < t_s + 1:
            tick = round(next_beat_s * RR_UNITS_PER_S)
            if last_tick is not None:
                ended.append(tick - last_tick)
                recent.append((t_s, tick - last_tick))
            last_tick = tick
            rr_s = 60 / heart_rate_bpm
            breath += rr_s * _between(_BREATHS_PER_S, intensity)
            swing = _between(_RSA_FRACTION, intensity) * math.sin(2 * math.pi * breath)
            noise = random.normal(0, _between(_NOISE_FRACTION, intensity))
            next_beat_s += rr_s * (1 + swing + noise)
        while recent and recent[0][0] <= t_s - _AVERAGING_S:
            recent.popleft()
        if t_s >= _AVERAGING_S:
            mean_rr = sum(rr for _, rr in recent) / len(recent)
            yield StrapSecond(round(60 * RR_UNITS_PER_S / mean_rr), tuple(ended))


def replayed(recording: Recording) -> Iterator[StrapSecond]:
    """What the strap of a recorded session told: heart rate, RR intervals if any, no contact in gaps."""
    backlog: list[int] = []  # a file may hold more beats in a second than a packet; they go out in the next
    for frame in recording.frames():
        backlog += (round(rr_ms / 1000 * RR_UNITS_PER_S) for rr_ms in frame.rr_intervals_ms)
        sent, backlog = tuple(backlog[:MAX_RR_PER_PACKET]), backlog[MAX_RR_PER_PACKET:]
        heart_rate_bpm = frame.heart_rate_bpm
        yield StrapSecond(None if heart_rate_bpm is None else round(heart_rate_bpm), sent)


def _between(ends: tuple[float, float], intensity: float) -> float:
    at_rest, at_maximum = ends
    return at_rest + (at_maximum - at_rest) * intensity
