"""How well the stop of an effort is found where it is marked, and how often one is announced without need."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from edge_agent.errors import RecordingError
from edge_agent.recordings import pypermod
from edge_agent.recordings.recording import Recording
from edge_agent.signals.effort import EffortDetector, EffortStop
from edge_agent.signals.frame import Frame

# The mark is a second of the protocol; power falls within this of it, or the mark is broken.
_NEAR_S = 12
_WORKING_W = 150.0
_SUSPICIOUS_S = 5  # marks further than this from the fall of power are listed

# After a true stop of running, speed of the next half minute is below this share of the minute before.
_SLOWED = 0.7


class Found(msgspec.Struct, frozen=True):
    """The stops found in marked sessions by one kind of sensor.

    Attributes:
        sensors: what the detector saw.
        sessions: marked sessions.
        errors_s: found minus marked second of the stop, for each session in which it was found.
        delays_s: seconds from the marked stop to its announcement, likewise.
        missed: sessions without a stop within `_NEAR_S` seconds of the mark.
        false: announced stops that are none.
    """

    sensors: str
    sessions: int
    errors_s: list[int]
    delays_s: list[int]
    missed: int
    false: int


class Alarms(msgspec.Struct, frozen=True):
    """Stops announced in recordings without marks.

    Attributes:
        sensors: what the detector saw.
        recordings: how many.
        hours: of them.
        announced: stops.
        false: after which speed did not fall to less than `_SLOWED` of what it was.
    """

    sensors: str
    recordings: int
    hours: float
    announced: int
    false: int


def seen_by(recording: Recording, *, load: bool, every_s: int = 1) -> Iterator[Frame]:
    """The frames of a recording as fewer sensors, or slower ones, would have made them."""
    for frame in recording.frames():
        if frame.t_s % every_s:
            yield Frame(frame.t_s)
        else:
            yield frame if load else Frame(frame.t_s, frame.heart_rate_bpm)


def announcements(frames: Iterable[Frame]) -> Iterator[tuple[int, EffortStop]]:
    """The second of each announcement and the stop."""
    detector = EffortDetector()
    for frame in frames:
        if (stop := detector.step(frame)) is not None:
            yield frame.t_s, stop


def marked_stops(folder: Path) -> tuple[list[tuple[Recording, int]], list[str]]:
    """Sessions of the public cycling set with the second at which their effort stopped.

    That second is the last one above `_WORKING_W` near the protocol's mark.

    Returns:
        Recordings with their stops, and one sentence for each mark that is some way off the fall of power.
    """
    marked, doubtful = [], []
    for path in sorted(folder.rglob("*.json")):
        try:
            mark_s = int(json.loads(path.read_bytes())["recovery"])
            recording = pypermod.read(path)
        except (RecordingError, ValueError, KeyError, TypeError):
            continue  # no session of this layout; what cannot be read is reported where recordings are read
        power_w = recording.channels["power_w"]
        near = np.arange(max(mark_s - _NEAR_S, 0), min(mark_s + _NEAR_S + 1, len(power_w)))
        working = near[power_w[near] > _WORKING_W]
        stop_s = int(working[-1]) if working.size else mark_s
        if abs(stop_s - mark_s) > _SUSPICIOUS_S:
            doubtful.append(
                f"{recording.person} {recording.session}: marked at {mark_s} s, power falls at {stop_s} s; "
                "scored from the latter"
            )
        marked.append((recording, stop_s))
    return marked, doubtful


def find_marked(marked: Sequence[tuple[Recording, int]], *, load: bool, every_s: int = 1) -> Found:
    """Run the detector over marked sessions."""
    errors_s, delays_s = [], []
    missed = false = 0
    for recording, stop_s in marked:
        stops = list(announcements(seen_by(recording, load=load, every_s=every_s)))
        hits = [(t_s, stop) for t_s, stop in stops if abs(stop.stop_t_s - stop_s) <= _NEAR_S]
        false += len(stops) - len(hits[:1])
        missed += not hits
        for t_s, stop in hits[:1]:
            errors_s.append(stop.stop_t_s - stop_s)
            delays_s.append(t_s - stop_s)
    sensors = ("power and heart rate" if load else "heart rate alone") + (f", each {every_s} s" if every_s > 1 else "")
    return Found(sensors, len(marked), errors_s, delays_s, missed, false)


def count_alarms(recordings: Sequence[Recording], *, load: bool) -> Alarms:
    """Run the detector over runs, and let speed tell whether the runner did stop."""
    announced = false = 0
    for recording in recordings:
        speed_mps = recording.channels["speed_mps"]
        for _, stop in announcements(seen_by(recording, load=load)):
            at = stop.stop_t_s + 1
            before_mps, after_mps = _mean(speed_mps[max(at - 60, 0) : at]), _mean(speed_mps[at : at + 30])
            announced += 1
            false += not after_mps < _SLOWED * before_mps
    hours = sum(r.duration_s for r in recordings) / 3600
    return Alarms("speed and heart rate" if load else "heart rate alone", len(recordings), hours, announced, false)


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else 0.0
