"""The second at which an effort stops: from load where there is load, else from heart rate.

A stop is only known some seconds late, since a few seconds of coasting are none. It is therefore announced with the
second at which the effort did stop. Where there is load (power, else speed, else cadence) the effort has stopped when
load stays below a fraction of what it was; without load, when heart rate falls from a plateau or peak and goes on
falling. Every step costs the same. Sensors that report only each few seconds are served too.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from edge_agent.signals.frame import Frame

# A value stands for this long when nothing follows it: clinical recordings have a sample each 10 s.
HOLD_S = 12
# A stop is of interest for this long; afterwards whatever the athlete does counts as the next effort.
RECOVERY_S = 120

# An effort is at least a minute of work that heart rate answered to: from less than that, nothing recovers.
_MIN_EFFORT_S = 60
_MIN_RISE_BPM = 12.0

# Load has fallen away below this fraction of the effort's: light pedalling in recovery is up to a third of the effort,
# while riders and runners seldom let up by nearly a half for longer than it takes to round a corner.
_AWAY = 0.55
_CONFIRM_S = 8
# The effort's load is a mean over about this long: longer than noise, shorter than a stage of a ramp.
_LEVEL_S = 30.0
# Load below which nobody works, in order of preference of the channels.
_LEAST = {"power_w": 15.0, "speed_mps": 1.0, "cadence_rpm": 20.0}

# The lowest heart rate of a session is that of a mean over about this long.
_BASELINE_S = 30
_SMOOTH_S = 4.0
_MEMORY_S = 60
# Heart rate alone: a fall of this much (bpm) and of this share of its rise, still under way, is none of the waves of
# steady exercise.
_FALL_BPM = 7.0
_FALL_SHARE = 0.08
_STILL_S, _STILL_FALLING_BPM = 15, 6.0
# It is within this of its peak when the effort stops, and is seen to leave it this long afterwards.
_PLATEAU_BPM = 1.0
_SEEN_LATE_S = 5
_RISES_AGAIN_BPM = 6.0


@dataclass(frozen=True, slots=True)
class EffortStop:
    """An effort that has ended.

    Attributes:
        stop_t_s: the last second of the effort.
        effort_s: how long it lasted; a warm-up that went over into it counts.
        channel: `power_w`, `speed_mps` or `cadence_rpm`; None where it was found from heart rate alone.
        load: of its last half minute, in the unit of `channel`; 0 where it was found from heart rate alone.
    """

    stop_t_s: int
    effort_s: int
    channel: str | None = None
    load: float = 0.0


class EffortDetector:
    """Watches a session, second by second.

    Attributes:
        stop: what the athlete is recovering from: for `RECOVERY_S` after a stop, unless a new effort begins.
    """

    def __init__(self) -> None:
        self.stop: EffortStop | None = None
        self._heart_rate = _HeartRateWatch()
        self._load = _LoadWatch()
        self._waiting: EffortStop | None = None

    @property
    def lowest_bpm(self) -> float:
        """Lowest smoothed heart rate of the session so far in bpm, infinite before the first."""
        return self._heart_rate.lowest_bpm

    def step(self, frame: Frame) -> EffortStop | None:
        """Take in one second; returns the stop in the second that it is announced, else None."""
        by_heart_rate = self._heart_rate.step(frame)
        by_load = self._load.step(frame)
        if self.stop is not None:
            resumed = self._heart_rate.rising if self.stop.channel is None else self._load.resumed
            if resumed or frame.t_s - self.stop.stop_t_s > RECOVERY_S:
                self.stop = None
        found = by_load
        # Power meters fall silent when nobody pedals. Until that is noticed, what heart rate found waits; and a stop
        # that load has found already is not found once more.
        if by_heart_rate is not None or self._heart_rate.rising:
            self._waiting = by_heart_rate
        if not self._load.present and self.stop is None:
            found, self._waiting = self._waiting, None
            if found is not None and frame.t_s - found.stop_t_s > _MEMORY_S:
                return None
        if found is None or not self._heart_rate.answered_to(found):
            return None
        self.stop = found
        return found


class _LoadWatch:
    """Waits for load to fall away.

    Attributes:
        present: whether there is load to watch.
        resumed: whether load has come back since it last fell away.
    """

    __slots__ = (
        "_away_since_s",
        "_back_since_s",
        "_began_s",
        "_channel",
        "_last_s",
        "_level",
        "_seen_s",
        "_working",
        "present",
        "resumed",
    )

    def __init__(self) -> None:
        self.present = False
        self.resumed = False
        self._channel: str | None = None
        self._working = False
        self._seen_s = 0

    def step(self, frame: Frame) -> EffortStop | None:
        t_s = frame.t_s
        for channel in _LEAST:
            load: float | None = getattr(frame, channel)
            if load is not None:
                break
            if channel == self._channel and t_s - self._seen_s <= HOLD_S:
                return None
        else:
            self.present = False
            return None
        self.present = True
        if channel != self._channel or (self._working and t_s - self._seen_s > HOLD_S):
            self._channel = channel
            self._begin(t_s, load)
        elapsed_s, self._seen_s = t_s - self._seen_s, t_s
        if self._working:
            return self._while_working(t_s, load, elapsed_s, _LEAST[channel])
        self._while_resting(t_s, load)
        return None

    def _begin(self, t_s: int, load: float) -> None:
        self._working = True
        self._began_s = self._last_s = self._seen_s = t_s
        self._away_since_s = self._back_since_s = -1
        self._level = load

    def _while_working(self, t_s: int, load: float, elapsed_s: int, least: float) -> EffortStop | None:
        effort_s = self._last_s - self._began_s
        if load >= _AWAY * self._level and load >= least:
            self._last_s, self._away_since_s = t_s, -1
            self._level += (load - self._level) * min(1.0, elapsed_s / min(_LEVEL_S, effort_s + 1.0))
            return None
        if self._away_since_s < 0:
            self._away_since_s = t_s
        if t_s - self._away_since_s < _CONFIRM_S:
            return None
        if effort_s < _MIN_EFFORT_S:
            self._begin(t_s, load)
            return None
        self._working = False
        self._back_since_s = -1
        self.resumed = False
        return EffortStop(self._last_s, effort_s, self._channel, self._level)

    def _while_resting(self, t_s: int, load: float) -> None:
        if load < _AWAY * self._level:
            self._back_since_s = -1
        elif self._back_since_s < 0:
            self._back_since_s = t_s
        self.resumed = self._back_since_s >= 0 and t_s - self._back_since_s >= _CONFIRM_S
        if self.resumed or t_s - self._last_s > RECOVERY_S:
            self._begin(t_s, load)


class _HeartRateWatch:
    """Waits for heart rate to fall, and knows whether it answered to an effort.

    Attributes:
        lowest_bpm: lowest smoothed heart rate so far.
        rising: whether it has risen again since the last fall.
    """

    __slots__ = (
        "_began_s",
        "_first_s",
        "_level_bpm",
        "_levelled_s",
        "_past",
        "_trough_bpm",
        "lowest_bpm",
        "rising",
    )

    def __init__(self) -> None:
        self.lowest_bpm = math.inf
        self.rising = True
        self._trough_bpm = math.inf
        self._began_s = self._first_s = 0
        self._levelled_s: int | None = None
        self._level_bpm = 0.0
        # Second, and smoothed heart rate in bpm; as long as the longest effort that a stop is checked against.
        self._past: deque[tuple[int, float]] = deque()

    def step(self, frame: Frame) -> EffortStop | None:
        heart_rate_bpm, t_s, past = frame.heart_rate_bpm, frame.t_s, self._past
        if heart_rate_bpm is None:
            return None
        if past and t_s - past[-1][0] > HOLD_S:
            past.clear()
            self.rising = True
        smooth_bpm = heart_rate_bpm
        if past:
            before_s, before_bpm = past[-1]
            smooth_bpm = before_bpm + (heart_rate_bpm - before_bpm) * -math.expm1((before_s - t_s) / _SMOOTH_S)
        past.append((t_s, smooth_bpm))
        while past[0][0] < t_s - _MEMORY_S:
            past.popleft()
        self._follow_level(t_s, heart_rate_bpm)
        if smooth_bpm < self.lowest_bpm + _MIN_RISE_BPM:
            self._began_s = t_s
        return self._fall(t_s, smooth_bpm)

    def _follow_level(self, t_s: int, heart_rate_bpm: float) -> None:
        """The mean that `lowest_bpm` is the lowest of; its first seconds are a sensor that settles."""
        if self._levelled_s is None:
            self._levelled_s = self._first_s = t_s
            self._level_bpm = heart_rate_bpm
        span_s = min(_BASELINE_S, t_s - self._first_s + 1)
        self._level_bpm += (heart_rate_bpm - self._level_bpm) * min(1.0, (t_s - self._levelled_s) / span_s)
        self._levelled_s = t_s
        if span_s == _BASELINE_S:
            self.lowest_bpm = min(self.lowest_bpm, self._level_bpm)

    def _fall(self, t_s: int, smooth_bpm: float) -> EffortStop | None:
        if not self.rising:
            self._trough_bpm = min(self._trough_bpm, smooth_bpm)
            self.rising = smooth_bpm > self._trough_bpm + _RISES_AGAIN_BPM
            if self.rising:
                self._past.clear()
                self._past.append((t_s, smooth_bpm))
            return None
        peak_bpm = max(bpm for _, bpm in self._past)
        fall_bpm = max(_FALL_BPM, _FALL_SHARE * (peak_bpm - self.lowest_bpm))
        recent_bpm = next((bpm for second, bpm in reversed(self._past) if second <= t_s - _STILL_S), smooth_bpm)
        if peak_bpm - smooth_bpm < fall_bpm or recent_bpm - smooth_bpm < _STILL_FALLING_BPM:
            return None
        left_s = max(second for second, bpm in self._past if bpm >= peak_bpm - _PLATEAU_BPM)
        if left_s - self._began_s < _MIN_EFFORT_S:
            return None
        self.rising = False
        self._trough_bpm = smooth_bpm
        return EffortStop(left_s - _SEEN_LATE_S, left_s - self._began_s)

    def answered_to(self, stop: EffortStop) -> bool:
        """Whether heart rate was up when an effort stopped."""
        at_stop_bpm = max((bpm for second, bpm in self._past if second <= stop.stop_t_s), default=-math.inf)
        return at_stop_bpm - self.lowest_bpm >= _MIN_RISE_BPM
