"""The one value type of recorded acceleration, and the reader of the project's own layout of it.

The neutral layout is CSV with a header: `t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2`, and where it is known `activity` and
`placement`, one word each that does not change within the file. The sensor's rate is found from `t_s`, which counts
seconds and may start anywhere; it has to be constant, since a model looks at rhythm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings.files import number, read_table
from edge_agent.signals.acceleration import MAX_RATE_HZ, MIN_RATE_HZ

SOURCE: Final = "neutral"
AXES: Final = ("acc_x_mps2", "acc_y_mps2", "acc_z_mps2")
REQUIRED: Final = ("t_s", *AXES)
PLACEMENTS: Final = ("chest", "wrist")

# The widest range of sensors that people wear is +-16 g, 157 m/s²; a file in counts or in mg is far beyond.
MAX_MPS2: Final = 400.0
# Where a sensor drops out it reports three zeros, which cannot be measured: something always holds the body up. Up to
# this long, the movement before it stands in, played backwards; Daily and Sports Activities has many such seconds.
BRIDGED_S: Final = 1.05
# A sample may be this part of its period early or late: time stamps are rounded to 1 or 10 ms, and radios jitter.
_JITTER: Final = 0.75
_MIN_SAMPLES: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class AccelerationRecording:
    """Acceleration at a constant rate, without a hole.

    Attributes:
        person: who was recorded, as the layout names them; only ever compared.
        session: name of the session, unique within person and placement.
        placement: `chest` or `wrist`; empty where the layout does not say.
        activity: what was done, in the words of the layout; empty where it does not say.
        source: the layout or data set it was read from.
        licence: SPDX identifier of the data's licence, or `own` for a user's own files.
        rate_hz: samples per second.
        start_s: time of the first sample.
        acceleration_mps2: float32 (samples, 3), gravity included, in the axes of the sensor.
        bridged_samples: how many of them stand in for what the sensor dropped.
    """

    person: str
    session: str
    placement: str
    activity: str
    source: str
    licence: str
    rate_hz: float
    start_s: float
    acceleration_mps2: NDArray[np.float32]
    bridged_samples: int = 0

    @property
    def duration_s(self) -> float:
        """Seconds that the samples stand for."""
        return len(self.acceleration_mps2) / self.rate_hz


def read(path: Path) -> AccelerationRecording:
    """Read one session of the neutral layout.

    Raises:
        RecordingError: the file does not follow the layout, its rate is not constant or not between 20 and 200 Hz, or
            a value is missing or impossible; with its line.
    """
    parsers = dict.fromkeys(REQUIRED, number) | dict.fromkeys(("activity", "placement"), str.strip)
    table = read_table(path, parsers, REQUIRED)
    t_s = np.array(table.columns["t_s"])
    acceleration_mps2 = np.array([table.columns[axis] for axis in AXES]).T
    _check_values(path, t_s, acceleration_mps2, table.lines)
    rate_hz = constant_rate_hz(path, t_s, table.lines)
    longest, at = _longest_dropout(acceleration_mps2)
    if longest > BRIDGED_S * rate_hz:
        raise RecordingError(
            path,
            f"no acceleration at all, not even gravity, for {longest / rate_hz:.3g} s",
            "split the file there: the sensor was off",
            line=table.lines[at],
        )
    placement = _one_word(path, "placement", table.columns.get("placement", [""]), table.lines)
    if placement not in ("", *PLACEMENTS):
        raise RecordingError(path, f"placement {placement!r}", "write chest or wrist, or leave the column out", line=2)
    return AccelerationRecording(
        person=path.parent.resolve().name,
        session=path.stem,
        placement=placement,
        activity=_one_word(path, "activity", table.columns.get("activity", [""]), table.lines),
        source=SOURCE,
        licence="own",
        rate_hz=rate_hz,
        start_s=float(t_s[0]),
        acceleration_mps2=bridged(acceleration_mps2.astype(np.float32)),
        bridged_samples=dropped(acceleration_mps2),
    )


def bridged(acceleration_mps2: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples whose dropouts are filled with the movement before them, played backwards, float32 (samples, 3)."""
    filled = acceleration_mps2.copy()
    for run in _dropouts(acceleration_mps2):
        before = filled[: run[0]][::-1]
        if len(before):
            filled[run] = before[np.minimum(np.arange(len(run)), len(before) - 1)]
    return filled


def dropped(acceleration_mps2: NDArray[np.floating[Any]]) -> int:
    """How many samples a sensor dropped, of (samples, 3)."""
    return sum(len(run) for run in _dropouts(acceleration_mps2))


def _dropouts(acceleration_mps2: NDArray[np.floating[Any]]) -> list[NDArray[np.int64]]:
    """Indices of the samples that are three zeros, by run."""
    lost = np.flatnonzero((acceleration_mps2 == 0).all(axis=1))
    return [run for run in np.split(lost, np.flatnonzero(np.diff(lost) > 1) + 1) if run.size]


def _longest_dropout(acceleration_mps2: NDArray[np.float64]) -> tuple[int, int]:
    """Length and first index of the longest dropout; zeros where there is none."""
    longest = max(_dropouts(acceleration_mps2), key=len, default=np.zeros(0, np.int64))
    return len(longest), int(longest[0]) if longest.size else 0


def constant_rate_hz(path: Path, t_s: NDArray[np.float64], lines: list[int]) -> float:
    """The rate that time stamps keep to.

    Args:
        path: where they come from, for errors.
        t_s: time of each sample, finite.
        lines: 1-based line of each sample, for errors.

    Raises:
        RecordingError: there are too few, they do not increase, there is a gap, or the rate is out of range.
    """
    if len(t_s) < _MIN_SAMPLES:
        raise RecordingError(path, "a single sample has no rate", "record for at least five seconds", line=lines[0])
    steps_s = np.diff(t_s)
    period_s = float(np.median(steps_s))
    if (back := np.flatnonzero(steps_s < 0)).size or period_s <= 0:
        at = int(back[0]) + 1 if back.size else 1
        raise RecordingError(
            path, f"t_s does not go on from {t_s[at - 1]:g} to {t_s[at]:g}", "sort the samples by time", line=lines[at]
        )
    if (wide := np.flatnonzero(steps_s > (1 + 2 * _JITTER) * period_s)).size:
        at = int(wide[0]) + 1
        raise RecordingError(
            path,
            f"a gap of {steps_s[at - 1]:.3g} s where samples come every {period_s:.3g} s",
            "split the file there: each part must have a constant rate",
            line=lines[at],
        )
    rate_hz = (len(t_s) - 1) / float(t_s[-1] - t_s[0])
    late_s = t_s - t_s[0] - np.arange(len(t_s)) / rate_hz
    if (off := np.flatnonzero(np.abs(late_s) > max(_JITTER / rate_hz, 2e-3 * float(t_s[-1] - t_s[0])))).size:
        at = int(off[0])
        raise RecordingError(
            path,
            f"the rate is not constant: sample {at} is {late_s[at]:+.3g} s off {rate_hz:.4g} Hz",
            "resample to a constant rate, or split the file where the rate changes",
            line=lines[at],
        )
    if not 0.99 * MIN_RATE_HZ <= rate_hz <= 1.01 * MAX_RATE_HZ:
        raise RecordingError(
            path,
            f"{rate_hz:.4g} samples per second",
            f"acceleration has to come at {MIN_RATE_HZ:g} to {MAX_RATE_HZ:g} Hz: set the sensor, or resample",
            line=lines[0],
        )
    return rate_hz


def _check_values(
    path: Path, t_s: NDArray[np.float64], acceleration_mps2: NDArray[np.float64], lines: list[int]
) -> None:
    values = np.column_stack([t_s, acceleration_mps2])
    bad = ~np.isfinite(values)
    bad[:, 1:] |= np.abs(values[:, 1:]) > MAX_MPS2
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        value = values[row, column]
        raise RecordingError(
            path,
            f"{REQUIRED[column]} is {'missing or not finite' if not np.isfinite(value) else f'{value:g} m/s²'}",
            "split the file at holes; accelerations are in m/s², gravity included (1 g is 9.81, 1000 mg is 9.81)",
            line=lines[row],
        )


def _one_word(path: Path, name: str, cells: list[str], lines: list[int]) -> str:
    first = cells[0]
    for cell, line in zip(cells, lines, strict=False):
        if cell != first:
            raise RecordingError(
                path, f"{name} changes from {first!r} to {cell!r}", f"split the file: one {name} each", line=line
            )
    return first
