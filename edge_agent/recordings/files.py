"""Bounded reading of files that nobody vouches for."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import Any

from edge_agent.errors import RecordingError
from edge_agent.recordings.grid import MAX_FILE_BYTES, MAX_SAMPLES


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of a CSV file, parsed; those the file does not have are absent.

    Attributes:
        columns: column name to its parsed cells.
        lines: 1-based line of each row.
    """

    columns: Mapping[str, list[Any]]
    lines: list[int]


def read_bytes(path: Path, most_bytes: int = MAX_FILE_BYTES) -> bytes:
    """The content of a file of at most `most_bytes`.

    Raises:
        RecordingError: it cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            data = file.read(most_bytes + 1)
    except OSError as error:
        raise RecordingError(
            path, error.strerror or str(error), "check that the file exists and that you may read it"
        ) from error
    if len(data) > most_bytes:
        raise RecordingError(
            path, f"the file is larger than {most_bytes // 2**20} MiB", "split it into single sessions"
        )
    return data


def number(cell: str) -> float:
    """A cell as a number; NaN when it is empty.

    Raises:
        ValueError: it is not a number.
    """
    return float(cell) if cell and not cell.isspace() else nan


def read_table(path: Path, parsers: Mapping[str, Callable[[str], Any]], required: Collection[str]) -> Table:
    """Read the columns named in `parsers` from a CSV file; see `parse_table`."""
    return parse_table(path, read_bytes(path), parsers, required)


def parse_table(
    path: Path, content: bytes, parsers: Mapping[str, Callable[[str], Any]], required: Collection[str]
) -> Table:
    """Read the columns named in `parsers` from CSV text with a header line; other columns are ignored.

    Args:
        path: where it comes from, for errors.
        content: the text, UTF-8.
        parsers: column name to what turns its cell into a value, raising ValueError when it cannot.
        required: names of the columns that must be there.

    Raises:
        RecordingError: a required column is missing, a column is there twice, a row is cut off, or a cell cannot be
            parsed; with its line.
    """
    # Undecodable bytes become U+FFFD, which no parser accepts: the error then knows the line it is on.
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="replace", newline="")
    reader = csv.reader(text)
    name = cell = ""
    lines: list[int] = []
    try:
        header = [column.strip() for column in next(reader, [])]
        _check_header(path, header, required)
        columns: dict[str, list[Any]] = {column: [] for column in header if column in parsers}
        plan = [(column, header.index(column), parsers[column], columns[column].append) for column in columns]
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise RecordingError(
                    path,
                    f"{len(row)} cells where the header names {len(header)} columns",
                    "complete or remove the line",
                    line=reader.line_num,
                )
            if len(lines) == MAX_SAMPLES:
                raise RecordingError(
                    path,
                    f"more than {MAX_SAMPLES} rows",
                    "split it into single sessions",
                    line=reader.line_num,
                )
            lines.append(reader.line_num)
            for name, position, parse, append in plan:  # noqa: B007 - the error below names the column
                cell = row[position]
                append(parse(cell))
    except ValueError as error:
        raise RecordingError(
            path,
            f"{name} is {_shown(cell)}, which is not a value of that column",
            "correct the cell, or leave it empty where nothing was measured",
            line=reader.line_num,
        ) from error
    except csv.Error as error:
        raise RecordingError(
            path, f"not CSV text ({error})", "export it again as comma-separated text", line=reader.line_num
        ) from error
    if not lines:
        raise RecordingError(path, "no samples in it", "remove the file, or export it again", line=reader.line_num or 1)
    return Table(columns, lines)


def _check_header(path: Path, header: list[str], required: Collection[str]) -> None:
    if missing := [column for column in required if column not in header]:
        raise RecordingError(
            path,
            f"the header has no column {', '.join(missing)}",
            "name every column in the first line, separated by commas",
            line=1,
        )
    if twice := sorted({column for column in header if column and header.count(column) > 1}):
        raise RecordingError(
            path, f"the header names {_shown(', '.join(twice))} more than once", "keep one of them", line=1
        )


def _shown(text: str, longest: int = 40) -> str:
    return repr(text if len(text) <= longest else text[:longest] + "...")
