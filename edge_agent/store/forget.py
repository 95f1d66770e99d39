"""Forgetting an athlete: rows, queue and the bytes they were in; a backend that may know the athlete is told.

The rows go in one transaction, which notes that their bytes are still to go: an agent that is killed in between, or
that finds the disk full, deletes them at its next start.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.store import outbox
from edge_agent.store.database import settle
from edge_agent.store.exchange import delete_set_aside
from edge_agent.store.identifiers import uuid7
from edge_agent.store.messages import SCHEMA, Tombstone


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an athlete leaves.

    Attributes:
        sessions: deleted, with their seconds.
        messages: deleted before they were sent.
        tombstone: whether the backend will be told; it is not when nothing was ever queued for it.
        set_aside: old files of the journal that were deleted, since whose rows they hold cannot be told.
    """

    sessions: int
    messages: int
    tombstone: bool
    set_aside: int = 0


def delete_athlete(db: sqlite3.Connection, athlete: str, now: datetime, *, time_trusted: bool) -> Forgotten:
    """Delete all rows of an athlete, in the transaction of the caller; `clean` is due then."""
    shared = db.execute("DELETE FROM shared_athlete WHERE athlete = ?", (athlete,)).rowcount > 0
    messages = db.execute("DELETE FROM outbox WHERE athlete = ? AND kind <> 'tombstone'", (athlete,)).rowcount
    sessions = db.execute("DELETE FROM session WHERE athlete = ?", (athlete,)).rowcount
    db.execute("DELETE FROM target WHERE athlete = ?", (athlete,))
    if shared:
        at = now.astimezone(UTC).isoformat(timespec="seconds")
        outbox.queue_tombstone(db, Tombstone(SCHEMA, str(uuid7(now)), 1, athlete, at, time_trusted))
    db.execute("UPDATE device SET cleaning_due = 1")
    return Forgotten(sessions, messages, tombstone=shared)


def is_cleaning_due(db: sqlite3.Connection) -> bool:
    """Whether rows were deleted whose bytes may still be there: `clean` was cut off, or failed."""
    (due,) = db.execute("SELECT cleaning_due FROM device").fetchone()
    return bool(due)


def clean(db: sqlite3.Connection, directory: Path) -> int:
    """Delete the bytes of rows that were deleted.

    `secure_delete` has zeroed them; the file is written anew nevertheless, since SQLite moves rows about within a page
    and leaves copies, and its log is cut to nothing. This needs room for the file a second time.

    Returns:
        How many old files of the journal were deleted.

    Raises:
        OSError, sqlite3.Error: the disk cannot be written, or the bytes are still in use by a program that reads the
            journal.
    """
    db.execute("VACUUM")
    settle(db)
    set_aside = delete_set_aside(directory)
    db.execute("UPDATE device SET cleaning_due = 0")
    return set_aside
