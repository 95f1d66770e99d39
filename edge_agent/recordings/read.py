"""Reading recordings of any layout, from a file or from a folder that may mix them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_agent.errors import RecordingError
from edge_agent.recordings import athlete_hr_predict, fit, neutral, pypermod, tcx
from edge_agent.recordings.recording import Recording

_Reader = Callable[[Path], Recording]

_HEAD_BYTES: Final = 4096  # enough for a CSV header or the root element of a TCX file
_LAYOUTS: Final = (
    "give FIT, TCX, or CSV with a header line such as t_s,heart_rate_bpm,speed_mps"
    " (or the layout of athlete-hr-predict or pypermod)"
)


def read_recordings(path: Path) -> tuple[list[Recording], list[RecordingError]]:
    """Read every recording at `path`: a file, or a folder of any layouts at any depth.

    Layouts are told by content. In a folder, hidden files and files that are no recording (neither by content nor by
    a suffix `.csv`, `.fit` or `.tcx`) are passed over.

    Returns:
        The recordings in order of person and session, and one error for each file that could not be read.
    """
    folder = path.is_dir()
    recordings: list[tuple[Path, Recording]] = []
    errors: dict[Path, RecordingError] = {}
    done: set[Path] = set()  # a session may have several files
    for file in _files(path) if folder else [path]:
        try:
            found = _layout(file)
            if found is None and folder:
                continue
            if found is None:
                raise RecordingError(file, "not a recording in a known layout", _LAYOUTS)  # noqa: TRY301
            read, main_file = found
            if main_file not in done:
                done.add(main_file)
                recordings.append((main_file, read(main_file)))
        except RecordingError as error:
            errors.setdefault(error.path, error)
    if folder and not recordings and not errors:
        errors[path] = RecordingError(path, "no recording in this folder", _LAYOUTS)
    recordings.sort(key=lambda item: (item[1].person, item[1].session, item[0]))
    return [recording for _, recording in recordings], [errors[file] for file in sorted(errors)]


def _files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _layout(path: Path) -> tuple[_Reader, Path] | None:
    """The reader of a file and the file to give it; None when it is no recording."""
    suffix = path.suffix.lower()
    head = _head(path)
    text = head.decode(errors="replace").lstrip("\ufeff \t\r\n")
    if suffix == ".fit" or head[8:12] == b".FIT":
        return fit.read, path
    if suffix == ".tcx" or (text.startswith("<") and "TrainingCenterDatabase" in text):
        return tcx.read, path
    if suffix == ".json" and pypermod.breaths_file(path).is_file():
        return pypermod.read, pypermod.srm_file(path)
    return _csv_layout(path, text)


def _csv_layout(path: Path, text: str) -> tuple[_Reader, Path] | None:
    try:
        columns = {column.strip() for column in next(csv.reader(text.splitlines()[:1]), [])}
    except csv.Error:
        columns = set()
    if columns.intersection(neutral.REQUIRED):
        return neutral.read, path
    if columns.issuperset(athlete_hr_predict.REQUIRED):
        return athlete_hr_predict.read, path
    if columns.issuperset(pypermod.SRM_REQUIRED) or columns.issuperset(pypermod.BREATHS_REQUIRED):
        return pypermod.read, pypermod.srm_file(path)
    if path.suffix.lower() == ".csv":
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
