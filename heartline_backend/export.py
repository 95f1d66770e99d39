"""Sessions to a file that other programs read."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

import msgspec

from heartline_backend.store.rows import Event, Session

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


def write_json(rows: Iterable[Session | Event], file: TextIO) -> None:
    """An array with what `plain` tells of each."""
    separator = "[\n"
    for row in rows:
        file.write(separator + msgspec.json.encode(plain(row)).decode())
        separator = ",\n"
    file.write("\n]\n" if separator == ",\n" else "[]\n")


def plain(row: Session | Event) -> dict[str, object]:
    """Its device, when it was kept, and the summary or event as published."""
    published = "summary" if isinstance(row, Session) else "event"
    payload = msgspec.Raw(row.payload.encode())
    return {"device": str(row.device), "received_at": row.received_at, published: payload}
