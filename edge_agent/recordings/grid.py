"""The one place where irregular samples become the 1 Hz grid, and where the bounds of a recording stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings.recording import CHANNELS, Cleaning, Recording

# Above the longest single-stage ultra races; what a wrong time stamp can allocate is 0.7 MB per channel.
MAX_DURATION_S: Final = 48 * 3600
# Four samples per second, the most a heart-rate strap notifies, for the longest recording.
MAX_SAMPLES: Final = 4 * MAX_DURATION_S
# 48 h at 1 Hz are 19 MB in the widest CSV layout (110 bytes a row) and about 5 MB in FIT; TCX gets 18 h at 500 bytes.
MAX_FILE_BYTES: Final = 32 * 2**20
# "Smart recording" writes a sample when something changes; its samples are a few seconds apart, a pause is longer.
SMART_RECORDING_S: Final = 8

# Values outside are missing: they come from a sensor without contact or from a broken file, not from a person.
PLAUSIBLE: Final[Mapping[str, tuple[float, float]]] = {
    "heart_rate_bpm": (25, 250),
    "speed_mps": (0, 50),  # 180 km/h: beyond any descent on a bicycle
    "cadence_rpm": (0, 255),  # one byte in FIT and TCX; track sprinters reach 220
    "power_w": (0, 3000),  # the best track sprinters peak at about 2500 W
    "altitude_m": (-500, 9000),  # the shore of the Dead Sea to above Everest
}
# The Heart Rate Measurement characteristic and FIT carry RR in 16 bits of 1/1024 s or 1/1000 s.
_MAX_RR_MS: Final = 65_535.0


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples of one clock as a file holds them: in any order, at any spacing.

    Attributes:
        path: the file.
        t_s: second of the session at which each sample was taken, shape (samples,).
        channels: names in `CHANNELS` to values, each of shape (samples,), NaN where missing.
        rr_intervals_ms: beat-to-beat intervals (ms) that came with each sample; empty when the file has none at all.
        lines: 1-based line of each sample in the file, for errors; empty where the format has no lines.
        hold_s: seconds for which a value stands when nothing follows it; 0 leaves every hole a gap.
    """

    path: Path
    t_s: Sequence[float] | NDArray[np.float64]
    channels: Mapping[str, Sequence[float]]
    rr_intervals_ms: Sequence[tuple[float, ...]] = ()
    lines: Sequence[int] = ()
    hold_s: int = 0


def to_recording(
    *clocks: Samples,
    person: str,
    session: str,
    sport: str,
    source: str,
    licence: str,
    started_at: datetime | None = None,
) -> Recording:
    """Put the samples of one or several clocks with a common zero on one 1 Hz grid.

    A sample belongs to the nearest second; of several in one second the last valid one counts. Values that are not
    finite or not in `PLAUSIBLE` are missing, and a channel without any valid value is left out.

    Raises:
        RecordingError: a time is not finite, negative or beyond `MAX_DURATION_S`, or there is no heart rate.
    """
    seconds = [_nearest_seconds(clock) for clock in clocks]
    size = 1 + max((int(index.max()) for index in seconds if index.size), default=-1)
    grids: dict[str, NDArray[np.float32]] = {}
    cleaning: dict[str, Cleaning] = {}
    rr_intervals_ms: dict[int, tuple[float, ...]] = {}
    for clock, index in zip(clocks, seconds, strict=True):
        for name, values in clock.channels.items():
            grid, cleaning[name] = _scatter(index, values, size, PLAUSIBLE[name], clock.hold_s)
            if np.isfinite(grid).any():
                grids[name] = grid
        if clock.rr_intervals_ms:
            for second, intervals in zip(index.tolist(), clock.rr_intervals_ms, strict=True):
                if valid := tuple(rr for rr in intervals if 0 < rr <= _MAX_RR_MS):
                    rr_intervals_ms[second] = rr_intervals_ms.get(second, ()) + valid
    if "heart_rate_bpm" not in grids:
        low, high = PLAUSIBLE["heart_rate_bpm"]
        raise RecordingError(
            clocks[0].path,
            f"no heart rate between {low:.0f} and {high:.0f} bpm in it",
            "give a recording made with a heart-rate sensor",
        )
    return Recording(
        person=person,
        session=session,
        sport=sport,
        source=source,
        licence=licence,
        started_at=started_at,
        channels={name: grids[name] for name in CHANNELS if name in grids},
        rr_intervals_ms=rr_intervals_ms,
        cleaning=cleaning,
    )


def smart_recording_hold_s(t_s: Sequence[float]) -> int:
    """`SMART_RECORDING_S` for a file whose samples are typically more than a second apart, 0 for one at 1 Hz."""
    spacing_s = np.diff(np.unique(np.asarray(t_s, dtype=np.float64)))
    return SMART_RECORDING_S if spacing_s.size and np.median(spacing_s) > 1 else 0


def _nearest_seconds(clock: Samples) -> NDArray[np.int64]:
    t_s = np.asarray(clock.t_s, dtype=np.float64)
    rounded: NDArray[np.float64] = np.floor(t_s + 0.5)
    wrong = np.flatnonzero(~((rounded >= 0) & (rounded < MAX_DURATION_S)))  # NaN compares false, so it is caught too
    if wrong.size:
        first = int(wrong[0])
        raise RecordingError(
            clock.path,
            f"the time {t_s[first]:g} s is outside of 0 to {MAX_DURATION_S} s ({MAX_DURATION_S // 3600} h)",
            "count time in seconds from the start of the session, and split recordings that are longer",
            line=clock.lines[first] if clock.lines else None,
        )
    return rounded.astype(np.int64)


def _scatter(
    index: NDArray[np.int64], values: Sequence[float], size: int, plausible: tuple[float, float], hold_s: int
) -> tuple[NDArray[np.float32], Cleaning]:
    samples = np.asarray(values, dtype=np.float64)
    valid = (samples >= plausible[0]) & (samples <= plausible[1])
    grid = np.full(size, np.nan, dtype=np.float32)
    grid[index[valid]] = samples[valid]
    own = np.isfinite(grid)
    if hold_s:
        second = np.arange(size)
        last = np.maximum.accumulate(np.where(own, second, -1))
        held = (last >= 0) & (second - last <= hold_s)
        grid[held] = grid[last[held]]
    read, kept, seconds = int((~np.isnan(samples)).sum()), int(valid.sum()), int(own.sum())
    return grid, Cleaning(read, read - kept, kept - seconds, int(np.isfinite(grid).sum()) - seconds)
