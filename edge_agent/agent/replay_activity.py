"""Plays recorded acceleration through the recognition of activities, as fast as it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from edge_agent.inference.activity import Recognition
from edge_agent.inference.models import ActivityModel
from edge_agent.recordings.acceleration import AccelerationRecording
from edge_agent.signals.acceleration import WINDOW_S

_BLOCK = 1000  # samples at a time, as a stream would bring them


def replay_activity(recording: AccelerationRecording, model: ActivityModel, placement: str) -> Iterator[Recognition]:
    """Recognise every window of a recording, with no knowledge of the ones after it.

    Args:
        recording: to play.
        model: to recognise with.
        placement: where the sensor was worn, `chest` or `wrist`.
    """
    recogniser = model.begin(placement=placement, rate_hz=recording.rate_hz, start_s=recording.start_s)
    for start in range(0, len(recording.acceleration_mps2), _BLOCK):
        yield from recogniser.push(recording.acceleration_mps2[start : start + _BLOCK])
    yield from recogniser.finish()


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which one thing was done.

    Attributes:
        begin_s: when it began.
        end_s: when it ended.
        activity: what was done, smoothed over windows.
        sure: share of its windows that, taken alone, were known.
        cadence_per_min: median of its windows' cadence; None where nothing repeated.
    """

    begin_s: float
    end_s: float
    activity: str
    sure: float
    cadence_per_min: float | None


def stretches(recognised: Iterable[Recognition]) -> Iterator[Stretch]:
    """A recording's windows, put together by what was done."""
    for activity, group in groupby(recognised, key=lambda recognition: recognition.doing.label):
        windows = [recognition.window for recognition in group]
        rates = [w.cadence_per_min for w in windows if w.cadence_per_min is not None]
        yield Stretch(
            windows[0].t_s,
            windows[-1].t_s + WINDOW_S,
            activity,
            sum(not w.activity.unknown for w in windows) / len(windows),
            median(rates) if rates else None,
        )
