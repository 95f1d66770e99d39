"""Sessions to a file that other programs read."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

import msgspec

from heartline_backend.store.rows import Session

_COLUMNS = tuple(name for name in Session.__struct_fields__ if name != "payload")

# A spreadsheet takes a cell that begins so for a formula, and names come from elsewhere.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(sessions: Iterable[Session], file: TextIO) -> None:
    """One line for each session, with a header.

    Columns are those of `Session`, less the summary itself. A name that a spreadsheet would take for a formula has an
    apostrophe before it.
    """
    writer = csv.writer(file)
    writer.writerow(_COLUMNS)
    for session in sessions:
        plain = msgspec.to_builtins(session)
        if session.athlete.startswith(_FORMULA):
            plain["athlete"] = f"'{session.athlete}"
        writer.writerow([plain[name] for name in _COLUMNS])


def write_json(sessions: Iterable[Session], file: TextIO) -> None:
    """An array with an object for each session: its device, when it was kept, and the summary as published."""
    separator = "[\n"
    for session in sessions:
        file.write(separator + msgspec.json.encode(plain_session(session)).decode())
        separator = ",\n"
    file.write("\n]\n" if separator == ",\n" else "[]\n")


def plain_session(session: Session) -> dict[str, object]:
    """What is told of a session: its device, when it was kept, and the summary as published."""
    return {
        "device": str(session.device),
        "received_at": session.received_at,
        "summary": msgspec.Raw(session.payload.encode()),
    }
