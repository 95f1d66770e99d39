"""Reader of Daily and Sports Activities (Altun, Barshan, Tunçel; UCI): five body-worn units at 25 Hz.

As published: `data/aNN/pN/sNN.txt`, activity, person and 5 s segment, 125 rows of 45 columns: per unit (torso, right
arm, left arm, right leg, left leg) acceleration, angular velocity and magnetic field. As an archive: `pN.npz` with the
same values as integers. The segments of an activity follow one another without a gap; they are read as one recording.
In some of them, those on stairs above all, the last second is all zeros, or comes from another flight of stairs.
Three units are where people wear sensors: the torso's is on the chest, the arms' are on the wrists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings.acceleration import AccelerationRecording, bridged, dropped
from edge_agent.recordings.files import read_bytes

SOURCE: Final = "dsads"
LICENCE: Final = "CC-BY-4.0"
RATE_HZ: Final = 25.0
SEGMENT_SAMPLES: Final = 125

# Unit to its placement and the first of its columns in a published file.
UNITS: Final = {"T": ("chest", 0), "RA": ("wrist", 9), "LA": ("wrist", 18)}
_COLUMNS: Final = 45
_PERSON_FOLDER: Final = re.compile(r"p\d{1,3}")
_ACTIVITY_FOLDER: Final = re.compile(r"a\d{2}")
_SEGMENT_FILE: Final = re.compile(r"s(\d{2,3})\.txt")
KEYS: Final = frozenset({"x", "cols", "scale", "activity", "segment"})


def is_segment(path: Path) -> bool:
    """Whether a file is a segment in the published layout, by its name and those of its folders."""
    return bool(
        _SEGMENT_FILE.fullmatch(path.name)
        and _PERSON_FOLDER.fullmatch(path.parent.name)
        and _ACTIVITY_FOLDER.fullmatch(path.parent.parent.name)
    )


def read_folder(folder: Path) -> Iterator[AccelerationRecording | RecordingError]:
    """Read the segments of one activity of one person: `aNN/pN`.

    Yields:
        Per unit one recording, or several where segments are missing or cannot be read; an error for each such one.
    """
    segments: dict[int, NDArray[np.float32]] = {}
    for path in sorted(folder.iterdir()):
        if match := _SEGMENT_FILE.fullmatch(path.name):
            try:
                segments[int(match[1])] = _read_segment(path)
            except RecordingError as error:
                yield error
    for unit, (_, column) in UNITS.items():
        parts = {number: rows[:, column : column + 3] for number, rows in segments.items()}
        yield from _joined(folder.name, folder.parent.name, unit, parts)


def _read_segment(path: Path) -> NDArray[np.float32]:
    rows = read_bytes(path).decode("ascii", errors="replace").split("\n")
    values = np.empty((SEGMENT_SAMPLES, _COLUMNS), np.float32)
    filled = 0
    for line, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        cells = row.split(",")
        try:
            values[filled] = [float(cell) for cell in cells]
        except (ValueError, IndexError) as error:
            raise RecordingError(
                path,
                f"not {_COLUMNS} numbers in one of {SEGMENT_SAMPLES} rows",
                "fetch the data set again",
                line=line,
            ) from error
        filled += 1
    if filled < SEGMENT_SAMPLES or not np.isfinite(values).all():
        raise RecordingError(
            path,
            f"{filled} rows of finite numbers where a segment has {SEGMENT_SAMPLES}",
            "fetch the data set again",
            line=len(rows),
        )
    return values


def read_archive(path: Path, arrays: Mapping[str, NDArray[Any]]) -> Iterator[AccelerationRecording]:
    """Read one person's archive.

    Args:
        path: of the archive; its stem names the person.
        arrays: its members: `x` integers (segments, 125, columns), to be divided by `scale` (columns,), `cols` their
            names, `activity` 1 to 19 and `segment` 1 to 60 of each segment.

    Raises:
        RecordingError: the arrays do not fit together.
    """
    x, activity, segment = arrays["x"], arrays["activity"], arrays["segment"]
    columns = [str(name) for name in arrays["cols"]]
    needed = [f"{unit}_acc_{axis}" for unit in UNITS for axis in "xyz"]
    if (
        x.shape != (len(activity), SEGMENT_SAMPLES, len(columns))
        or len(segment) != len(activity)
        or len(arrays["scale"]) != len(columns)
        or not set(needed) <= set(columns)
    ):
        raise RecordingError(path, f"arrays that do not fit x of shape {x.shape}", "make or fetch the archive again")
    values = (x / arrays["scale"]).astype(np.float32)
    for number in sorted({int(a) for a in activity}):
        for unit in UNITS:
            axes = [columns.index(f"{unit}_acc_{axis}") for axis in "xyz"]
            parts = {int(segment[i]): values[i][:, axes] for i in np.flatnonzero(activity == number)}
            yield from _joined(path.stem, f"a{number:02d}", unit, parts)


def _joined(
    person: str, activity: str, unit: str, parts: Mapping[int, NDArray[np.float32]]
) -> Iterator[AccelerationRecording]:
    """Segments that follow one another as one recording."""
    numbers = np.array(sorted(parts), np.int64)
    for run in np.split(numbers, np.flatnonzero(np.diff(numbers) > 1) + 1):
        if run.size:
            values = np.concatenate([parts[int(number)] for number in run])
            yield AccelerationRecording(
                person=person,
                session=f"{activity}-{unit}-s{run[0]:02d}",
                placement=UNITS[unit][0],
                activity=activity,
                source=SOURCE,
                licence=LICENCE,
                rate_hz=RATE_HZ,
                start_s=float((run[0] - 1) * SEGMENT_SAMPLES / RATE_HZ),
                acceleration_mps2=bridged(values),
                bridged_samples=dropped(values),
            )
