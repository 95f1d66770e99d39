"""What makes a recording odd. An odd recording is used as it is; whoever trains on it has been told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings.recording import Recording
from training.dataset import Session

# Shorter than what is behind an origin (2 min), what is ahead of it (1 min) and some to score.
_SHORT_S = 5 * 60
_PRESENT = 0.95
_PAUSE_S = 10 * 60
# Whole beats stand still for half a minute at rest; two minutes in exercise are a value that was held.
_FROZEN_S = 120
# Heart rate gains at most some 3 bpm within a second at the onset of all-out work; a strap that finds or loses the
# beat jumps.
_JUMP_BPM = 15.0
_JUMPS = 3
# A wrist sensor that counts steps: heart rate within this of the steps per minute for this long.
_LOCKED_BPM, _LOCKED_S = 2.0, 180
_IMPLAUSIBLE = 0.01


def oddities_of(session: Session) -> Iterator[str]:
    """Everything that is odd about a recording, one sentence each."""
    yield from _scarce(session)
    yield from _invented(session.recording.channels["heart_rate_bpm"])
    yield from _locked(session.recording)
    yield from _of_sensors(session.recording)


def _scarce(session: Session) -> Iterator[str]:
    missing = np.isnan(session.recording.channels["heart_rate_bpm"])
    if len(missing) < _SHORT_S:
        yield f"short: {len(missing)} s"
    elif not session.scored.any():
        yield "no second of it is scored: heart rate is never whole for three minutes"
    if 1 - missing.mean() < _PRESENT:
        yield f"heart rate for only {1 - missing.mean():.0%} of its seconds"
    pause_s, at_s = longest(missing)
    if pause_s >= _PAUSE_S:
        yield f"no heart rate for {pause_s / 60:.0f} min from {_clock(at_s)} on"


def _invented(bpm: NDArray[np.float32]) -> Iterator[str]:
    change_bpm = np.diff(bpm, prepend=np.nan)
    frozen_s, at_s = longest(change_bpm == 0)
    if frozen_s >= _FROZEN_S:
        yield f"heart rate stands at {bpm[at_s]:.0f} bpm for {frozen_s} s from {_clock(at_s)} on"
    jumps = np.flatnonzero(np.abs(change_bpm) > _JUMP_BPM)
    if len(jumps) >= _JUMPS:
        yield (
            f"heart rate jumps by more than {_JUMP_BPM:.0f} bpm within a second {len(jumps)} times, first at "
            f"{_clock(int(jumps[0]))}"
        )


def _locked(recording: Recording) -> Iterator[str]:
    cadence = recording.channels.get("cadence_rpm")
    if cadence is None:
        return
    bpm = recording.channels["heart_rate_bpm"]
    for steps in (1, 2):  # rpm of the legs, or steps of both feet
        locked_s, at_s = longest((cadence > 0) & (np.abs(bpm - steps * cadence) <= _LOCKED_BPM))
        if locked_s >= _LOCKED_S:
            yield f"heart rate equals cadence for {locked_s} s from {_clock(at_s)} on: the sensor may count steps"
            return


def _of_sensors(recording: Recording) -> Iterator[str]:
    for name, cleaning in recording.cleaning.items():
        if cleaning.implausible > _IMPLAUSIBLE * cleaning.read:
            yield f"{name}: {cleaning.implausible} of {cleaning.read} samples are no plausible values"
    for name, values in recording.channels.items():
        if name != "altitude_m" and not np.nanmax(values) > 0:
            yield f"{name} is zero throughout"


def repeated(recordings: Sequence[Recording]) -> Iterator[tuple[Recording, str]]:
    """Recordings whose heart rate is that of another one, second by second."""
    first: dict[bytes, Recording] = {}
    for recording in recordings:
        other = first.setdefault(recording.channels["heart_rate_bpm"].tobytes(), recording)
        if other is not recording:
            yield recording, f"the same heart rate as {other.person} {other.session}: one session in two files"


def runs(true: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and length of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), (edges[1::2] - edges[::2]).tolist(), strict=True))


def longest(true: NDArray[np.bool_]) -> tuple[int, int]:
    """Length and start of the longest run of true values; (0, 0) where there is none."""
    start, length = max(runs(true), key=lambda run: run[1], default=(0, 0))
    return length, start


def _clock(second: int) -> str:
    return f"{second // 3600}:{second // 60 % 60:02}:{second % 60:02}"
