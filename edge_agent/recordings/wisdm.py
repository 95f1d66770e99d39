"""Reader of the WISDM smartwatch data (Weiss 2019; UCI): a wrist-worn accelerometer at 20 Hz.

As published: `raw/watch/accel/data_NNNN_accel_watch.txt`, rows `person,code,timestamp in ns,x,y,z;` in m/s². As an
archive: `NNNN.npz` with, per code, `<code>_accel` as integers of 250 per m/s² and `<code>_accel_tms` in ms. The codes
are letters, A walking to S folding clothes. In some recordings the watch changes its rate on the way, or pauses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings.acceleration import AccelerationRecording
from edge_agent.recordings.files import read_bytes

SOURCE: Final = "wisdm-watch"
LICENCE: Final = "CC-BY-4.0"

FILE: Final = re.compile(r"data_(\d{1,6})_accel_watch\.txt")
MEMBER: Final = re.compile(r"([A-Z])_accel")
_SCALE: Final = 250.0

_PAUSE_S: Final = 0.5  # a hole of this length ends a recording; shorter ones are bridged
_SHORTEST_S: Final = 5.0
# Where the rate changes between 20 and 100 Hz, samples are put on the faster grid first, so that nothing aliases.
_STEADY_S: Final = (0.03, 0.07)
_FAST_HZ: Final = 100.0


def read_file(path: Path) -> Iterator[AccelerationRecording]:
    """Read one person's file.

    Raises:
        RecordingError: a row does not follow the layout; with its line.
    """
    by_code: dict[str, list[tuple[float, float, float, float]]] = {}
    for line, row in enumerate(read_bytes(path).decode("ascii", errors="replace").split("\n"), start=1):
        text = row.strip().rstrip(";")
        if not text:
            continue
        cells = text.split(",")
        try:
            _, code, time_ns, x, y, z = cells
            sample = (float(time_ns) * 1e-9, float(x), float(y), float(z))
        except ValueError as error:
            raise RecordingError(
                path, "not a row person,code,timestamp,x,y,z;", "fetch the data set again", line=line
            ) from error
        by_code.setdefault(code.strip(), []).append(sample)
    name = FILE.fullmatch(path.name)
    person = name[1] if name else path.stem
    for code, samples in sorted(by_code.items()):
        columns = np.array(samples)
        yield from _pieces(path, person, code, columns[:, 0], columns[:, 1:])


def read_archive(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Iterator[AccelerationRecording]:
    """Read one person's archive; its stem names the person.

    Raises:
        RecordingError: an acceleration has no times of the same length.
    """
    for name in sorted(arrays):
        if match := MEMBER.fullmatch(name):
            x, times = arrays[name], arrays.get(f"{name}_tms", np.empty(0))
            if x.shape != (len(times), 3):
                raise RecordingError(path, f"{name} without a time for each sample", "make or fetch the archive again")
            yield from _pieces(path, path.stem, match[1], times / 1000, x / _SCALE)


def _pieces(
    path: Path, person: str, code: str, t_s: NDArray[np.float64], x: NDArray[np.float64]
) -> Iterator[AccelerationRecording]:
    """The parts between pauses, each at a constant rate; too short ones are of no use."""
    if not (np.isfinite(t_s).all() and np.isfinite(x).all()):
        raise RecordingError(path, f"activity {code} has values that are not finite", "fetch the data set again")
    breaks = np.flatnonzero((np.diff(t_s) > _PAUSE_S) | (np.diff(t_s) < 0)) + 1
    for number, part in enumerate(np.split(np.arange(len(t_s)), breaks)):
        at_s, values = t_s[part], x[part]
        if len(part) < 2 or at_s[-1] - at_s[0] < _SHORTEST_S:  # noqa: PLR2004 - a span needs two ends
            continue
        steps_s = np.diff(at_s)
        rate_hz = (len(part) - 1) / float(at_s[-1] - at_s[0])
        if steps_s.min() < _STEADY_S[0] or steps_s.max() > _STEADY_S[1]:
            grid_s = np.arange(at_s[0], at_s[-1], 1 / _FAST_HZ)
            values = np.stack([np.interp(grid_s, at_s, values[:, axis]) for axis in range(3)], axis=1)
            rate_hz = _FAST_HZ
        yield AccelerationRecording(
            person=person,
            session=f"{code}-{number}",
            placement="wrist",
            activity=code,
            source=SOURCE,
            licence=LICENCE,
            rate_hz=rate_hz,
            start_s=float(at_s[0] - t_s[0]),
            acceleration_mps2=values.astype(np.float32),
        )
