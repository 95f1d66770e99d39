"""Reading recordings of any layout, from a file or from a folder that may mix them."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.errors import RecordingError
from edge_agent.recordings import acceleration, athlete_hr_predict, fit, golden_cheetah, neutral, pypermod, tcx
from edge_agent.recordings.recording import Recording

_HEAD_BYTES: Final = 4096  # enough for a CSV header or the root element of a TCX file
_ZIP: Final = b"PK\3\4"
_LAYOUTS: Final = (
    "give FIT, TCX, a GoldenCheetah OpenData zip, or CSV with a header line such as t_s,heart_rate_bpm,speed_mps"
    " (or the layout of athlete-hr-predict or pypermod)"
)


@dataclass(frozen=True, slots=True)
class Source:
    """Where recordings are, and what reads them.

    Attributes:
        path: the file, or the folder of a layout that spreads an athlete over one.
        layout: reads the recording or the recordings there.
    """

    path: Path
    layout: Callable[[Path], Recording | Iterator[Recording | RecordingError]]

    def read(self) -> tuple[list[Recording], list[RecordingError]]:
        """The recordings, and an error for each that could not be read."""
        recordings: list[Recording] = []
        errors: list[RecordingError] = []
        try:
            found = self.layout(self.path)
            for item in [found] if isinstance(found, Recording) else found:
                if isinstance(item, Recording):
                    recordings.append(item)
                else:
                    errors.append(item)
        except RecordingError as error:
            errors.append(error)
        return recordings, errors


def find_sources(path: Path) -> tuple[list[Source], list[RecordingError]]:
    """Find what can be read at `path` without reading it: a file, or a folder of any layouts at any depth.

    Layouts are told by content. In a folder, hidden files and files that are no recording (neither by content nor by
    a suffix `.csv`, `.fit`, `.tcx` or `.zip`) are passed over.

    Returns:
        The sources in order of their paths, and one error for each file that is of no known layout.
    """
    folder = path.is_dir()
    sources: dict[Path, Source] = {}  # a session may have several files
    errors: list[RecordingError] = []
    for file in _files(path) if folder else [path]:
        try:
            source = _layout(file, in_folder=folder)
        except RecordingError as error:
            errors.append(error)
            continue
        if source is not None:
            sources.setdefault(source.path, source)
        elif not folder:
            errors.append(RecordingError(file, "not a recording in a known layout", _LAYOUTS))
    if folder and not sources and not errors:
        errors.append(RecordingError(path, "no recording in this folder", _LAYOUTS))
    return [sources[found] for found in sorted(sources)], errors


def read_recordings(path: Path) -> tuple[list[Recording], list[RecordingError]]:
    """Read every recording that `find_sources` finds at `path`.

    Returns:
        The recordings in order of person and session, and one error for each file that could not be read.
    """
    sources, errors = find_sources(path)
    recordings: list[tuple[Path, Recording]] = []
    for source in sources:
        read, failed = source.read()
        recordings += [(source.path, recording) for recording in read]
        errors += failed
    recordings.sort(key=lambda item: (item[1].person, item[1].session, item[0]))
    return [recording for _, recording in recordings], sorted(errors, key=lambda error: error.path)


def _files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _layout(path: Path, *, in_folder: bool) -> Source | None:
    """The source that a file belongs to; None when it is no recording."""
    suffix = path.suffix.lower()
    head = _head(path)
    text = head.decode(errors="replace").lstrip("\ufeff \t\r\n")
    if suffix == ".fit" or head[8:12] == b".FIT":
        return Source(path, fit.read)
    if suffix == ".tcx" or (text.startswith("<") and "TrainingCenterDatabase" in text):
        return Source(path, tcx.read)
    if suffix == ".zip" or (head.startswith(_ZIP) and zipfile.is_zipfile(path)):
        return Source(path, golden_cheetah.read_athlete) if golden_cheetah.is_athlete(path) else None
    if suffix == ".json" and pypermod.breaths_file(path).is_file():
        return Source(pypermod.srm_file(path), pypermod.read)
    return _csv_layout(path, text, in_folder=in_folder)


def _csv_layout(path: Path, text: str, *, in_folder: bool) -> Source | None:
    try:
        columns = {column.strip() for column in next(csv.reader(text.splitlines()[:1]), [])}
    except csv.Error:
        columns = set()
    for_read_acceleration = columns.issuperset(acceleration.AXES) and "heart_rate_bpm" not in columns
    if for_read_acceleration and not in_folder:
        raise RecordingError(
            path, "acceleration, and no heart rate", "say where the sensor was worn: --placement chest or wrist", line=1
        )
    if columns.intersection(neutral.REQUIRED) and not for_read_acceleration:
        return Source(path, neutral.read)
    if columns.issuperset(athlete_hr_predict.REQUIRED):
        return Source(path, athlete_hr_predict.read)
    if columns.issuperset(golden_cheetah.REQUIRED):
        if in_folder and golden_cheetah.is_activity(path):
            return Source(path.parent, golden_cheetah.read_athlete)
        return Source(path, golden_cheetah.read_activity)
    if columns.issuperset(pypermod.SRM_REQUIRED) or columns.issuperset(pypermod.BREATHS_REQUIRED):
        return Source(pypermod.srm_file(path), pypermod.read)
    if path.suffix.lower() == ".csv" and not for_read_acceleration:
        raise RecordingError(path, "the header is of no known layout", _LAYOUTS, line=1)
    return None


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError as error:
        raise RecordingError(
            path, error.strerror or str(error), "check that the file exists and that you may read it"
        ) from error
