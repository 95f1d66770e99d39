"""Reads what can be read of a damaged journal, row by row, into a new file.

Rows are read in the order of their keys. Where that fails, keys further on are tried in steps that double, until one
lies behind the damage; then the keys in between are tried one by one.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from edge_agent.store import schema
from edge_agent.store.database import connect, passing_trouble, reading, says_unreadable, settle, transaction
from edge_agent.store.summary import Summary

_Row = tuple[Any, ...]

# The largest step over damage: 12 days of seconds.
_LARGEST_STEP = 1 << 20

# Where nothing can be read behind the damage, this many keys are tried one by one; a page holds some tens of rows.
_CLOSE_KEYS = 512
_CLOSE_SESSIONS = 8

# What is not known of a session whose row is lost, while its seconds are not.
_UNKNOWN = {"athlete": "unknown", "started_at": "1970-01-01T00:00:00+00:00", "time_trusted": 0, "model_version": ""}


@dataclass(frozen=True, slots=True)
class Salvaged:
    """How much could be read.

    Attributes:
        sessions: with a row of their own or, where that is lost, with seconds alone.
        seconds: recorded seconds.
        messages: that wait for the broker.
    """

    sessions: int
    seconds: int
    messages: int


def salvage(damaged: Path, target: Path) -> Salvaged:
    """Copy what can be read of a damaged journal into a new file, which is closed and on the disk afterwards.

    Raises:
        JournalError: the damaged one is of a newer version.
        OSError, sqlite3.Error: the new file cannot be written.
    """
    with closing(connect(target)) as new:
        with reading(damaged) as old:
            if version := _version(old, damaged):
                schema.migrate(new, target, to=version)
                with transaction(new):
                    _copy(old, new)
        schema.migrate(new, target)
        with transaction(new):
            _reopen_sessions(new)
        settle(new)
        sessions, seconds, messages = new.execute(
            "SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM second), (SELECT count(*) FROM outbox)"
        ).fetchone()
    return Salvaged(sessions, seconds, messages)


def _version(old: sqlite3.Connection, damaged: Path) -> int:
    """Schema version; 0 when not even that can be read."""
    try:
        return schema.version_of(old, damaged)
    except sqlite3.DatabaseError as error:
        _tolerate(error)
        return 0


def _copy(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    tables = {name for (name,) in new.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    columns = ", ".join(name for _, name, *_ in new.execute("PRAGMA table_info(device)"))
    for device in _scan(old, f"SELECT {columns} FROM device"):  # noqa: S608 - names from the schema
        new.execute(f"UPDATE device SET ({columns}) = ({', '.join('?' * len(device))})", device)  # noqa: S608
    for row in _readable(old, "session", _columns(new, "session")):
        _insert(new, "session", row)
    for session_id in _session_ids(old, new):
        for table in [table for table in ("second", "activity") if table in tables]:
            _copy_recorded(old, new, table, session_id)
    for row in _readable(old, "outbox", _columns(new, "outbox")):
        _insert(new, "outbox", row)
    if "shared_athlete" in tables:
        for (athlete,) in _scan(old, "SELECT athlete FROM shared_athlete"):
            new.execute("INSERT OR IGNORE INTO shared_athlete VALUES (?)", (athlete,))
        # Its own table may be damaged as well, and a tombstone too many does no harm.
        new.execute("INSERT OR IGNORE INTO shared_athlete SELECT athlete FROM session WHERE sent_revision > 0")
    for table in tables & {"command", "lap", "target"}:
        names = _columns(new, table)
        for found in _scan(old, f"SELECT {', '.join(names)} FROM {table}"):  # noqa: S608 - of our own
            _insert(new, table, dict(zip(names, found, strict=True)))


def _copy_recorded(old: sqlite3.Connection, new: sqlite3.Connection, table: str, session_id: int) -> None:
    known = new.execute("SELECT 1 FROM session WHERE id = ?", (session_id,)).fetchone() is not None
    for row in _readable(old, table, _columns(new, table), key="t_s", session_id=session_id):
        if not known:
            _insert(new, "session", {"id": session_id, "uuid": str(uuid.uuid4()), **_UNKNOWN})
            known = True
        _insert(new, table, row)


def _session_ids(old: sqlite3.Connection, new: sqlite3.Connection) -> list[int]:
    """Ids that seconds may have: those of sessions, the ones between, and those found with seconds behind the last."""
    (last,) = new.execute("SELECT coalesce(max(id), 0) FROM session").fetchone()
    found = list(range(1, last + 1))
    try:
        while last is not None:
            (last,) = old.execute("SELECT min(session_id) FROM second WHERE session_id > ?", (last,)).fetchone()
            found += [] if last is None else [last]
    except sqlite3.DatabaseError as error:
        _tolerate(error)
        end = found[-1] + 1 if found else 1
        found += range(end, end + _CLOSE_SESSIONS)
    return found


def _columns(new: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in new.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def _scan(old: sqlite3.Connection, query: str) -> Iterator[_Row]:
    """Rows up to the first that cannot be read."""
    try:
        yield from old.execute(query)
    except sqlite3.DatabaseError as error:
        _tolerate(error)


def _readable(
    old: sqlite3.Connection, table: str, columns: list[str], *, key: str = "id", session_id: int | None = None
) -> Iterator[dict[str, Any]]:
    """Every row of a table, or of one session in it, that can be read."""
    where = "" if session_id is None else f"session_id = {session_id:d} AND "
    select = f"SELECT {key}, {', '.join(columns)} FROM {table} WHERE {where}{key}"  # noqa: S608 - names of our own
    low: int | None = 0
    while low is not None:
        try:
            for found, *row in old.execute(f"{select} >= ? ORDER BY {key}", (low,)):
                yield dict(zip(columns, row, strict=True))
                low = found + 1
        except sqlite3.DatabaseError as error:
            _tolerate(error)
            beyond = _beyond(old, select, key, low)
            for candidate in range(low, low + _CLOSE_KEYS if beyond is None else beyond):
                for _, *row in _scan(old, f"{select} = {candidate:d}"):
                    yield dict(zip(columns, row, strict=True))
            low = beyond
        else:
            return


def _tolerate(error: sqlite3.DatabaseError) -> None:
    """Pass over what is damaged; not over what is only out of reach now, and can be read at the next start."""
    if passing_trouble(error) and not says_unreadable(error):
        raise error


def _beyond(old: sqlite3.Connection, select: str, key: str, low: int) -> int | None:
    """The first key that is found behind the damage at `low`; None when there is none."""
    step = 1
    while step <= _LARGEST_STEP:
        for row in _scan(old, f"{select} >= {low + step:d} ORDER BY {key} LIMIT 1"):
            return int(row[0])
        step *= 2
    return None


def _insert(new: sqlite3.Connection, table: str, row: dict[str, Any]) -> None:
    """Insert what was read, unless it is no row of this table: damage can look like anything."""
    for column in row.keys() & {"answer", "summary", "payload", "rr_intervals_ms", "forecast"}:
        row[column] = _json_or_none(row[column])
    names = ", ".join(row)
    try:
        new.execute(
            f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608 - names of our own
            list(row.values()),
        )
    except sqlite3.IntegrityError:
        return


def _json_or_none(value: bytes | str | None) -> bytes | str | None:
    try:
        return None if value is None or msgspec.json.decode(value) is None else value
    except (msgspec.DecodeError, TypeError):
        return None


def _reopen_sessions(new: sqlite3.Connection) -> None:
    """A session whose summary is lost is open again: the next start summarises it from its seconds."""
    for session_id, summary in new.execute("SELECT id, summary FROM session WHERE summary IS NOT NULL").fetchall():
        try:
            msgspec.json.decode(summary, type=Summary)
        except msgspec.DecodeError:
            new.execute("UPDATE session SET summary = NULL WHERE id = ?", (session_id,))
    new.execute("DELETE FROM outbox WHERE session_id IN (SELECT id FROM session WHERE summary IS NULL)")
