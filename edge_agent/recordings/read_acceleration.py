"""Reading acceleration of any layout, from a file or from a folder that may mix them."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings import acceleration, dsads, wisdm
from edge_agent.recordings.acceleration import AccelerationRecording
from edge_agent.recordings.files import read_bytes

# What an archive may unpack to: an hour of six 32-bit channels at 200 Hz is 17 MB.
_MAX_UNPACKED_BYTES: Final = 128 * 2**20
_HEAD_CHARACTERS: Final = 4096

LAYOUTS: Final = (
    "give CSV with the columns t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2, or the data sets Daily and Sports Activities or"
    " WISDM (smartwatch accelerometer) as published"
)

_Read = Iterator[AccelerationRecording | RecordingError]


def read_acceleration(path: Path) -> tuple[list[AccelerationRecording], list[RecordingError]]:
    """Read all acceleration at `path`: a file, or a folder of any layouts at any depth.

    In a folder, hidden files and files that hold no acceleration are passed over.

    Returns:
        The recordings in order of source, person and session, and one error for each file that could not be read.
    """
    recordings: list[AccelerationRecording] = []
    errors: list[RecordingError] = []
    sources = dict(_sources(path))
    if not sources:
        errors.append(RecordingError(path, "no acceleration in it", LAYOUTS))
    for source, read in sources.items():
        try:
            for item in read(source):
                (recordings if isinstance(item, AccelerationRecording) else errors).append(item)  # type: ignore[arg-type]
        except RecordingError as error:
            errors.append(error)
    recordings.sort(key=lambda r: (r.source, r.person, r.placement, r.session))
    return recordings, errors


def holds_acceleration(path: Path) -> bool:
    """Whether a file is CSV whose header names the three axes."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            header = next(csv.reader([file.readline(_HEAD_CHARACTERS)]), [])
    except (OSError, csv.Error):
        return False
    return set(acceleration.AXES) <= {column.strip() for column in header}


def _sources(path: Path) -> Iterator[tuple[Path, Callable[[Path], _Read]]]:
    """What is to be read, and how; a folder once for all of its segments."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        hidden = path.is_dir() and any(part.startswith(".") for part in file.relative_to(path).parts)
        if hidden or file.is_dir():
            continue
        if dsads.is_segment(file):
            yield file.parent, dsads.read_folder
        elif wisdm.FILE.fullmatch(file.name):
            yield file, wisdm.read_file
        elif file.suffix == ".npz":
            yield file, _read_archive
        elif holds_acceleration(file) or not path.is_dir():
            yield file, _read_csv


def _read_csv(path: Path) -> _Read:
    yield acceleration.read(path)


def _read_archive(path: Path) -> _Read:
    content = read_bytes(path)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked_bytes = sum(member.file_size for member in archive.infolist())
        if unpacked_bytes > _MAX_UNPACKED_BYTES:
            raise RecordingError(path, f"unpacks to {unpacked_bytes >> 20} MiB", "split it into single people")
        with np.load(io.BytesIO(content), allow_pickle=False) as members:
            arrays: dict[str, NDArray[Any]] = dict(members)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise RecordingError(path, f"not a whole archive of arrays ({error})", "make or fetch it again") from error
    if set(arrays) >= dsads.KEYS:
        yield from dsads.read_archive(path, arrays)
    elif any(wisdm.MEMBER.fullmatch(name) for name in arrays):
        yield from wisdm.read_archive(path, arrays)
    else:
        raise RecordingError(path, "no acceleration among its arrays", LAYOUTS)
