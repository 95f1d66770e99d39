"""The rows of the outbox: typed messages, in order. Every function works in the transaction of its caller.

    id         order of sending, never used twice
    kind       summary, event or tombstone
    athlete    whom it concerns; the messages of one athlete are to be sent in order
    session_id of a summary: its text is the session's own, so that a summary has one place
    payload    JSON of an event or a tombstone

A message leaves when the broker has acknowledged it. A newer revision of a summary replaces the older one in the queue,
at its end. Quota: at most `MAX_EVENTS` events wait; one more, and the oldest is dropped, which is said. Summaries and
tombstones are never dropped here: a summary goes unsent only with its session, when `retention` was told that it may.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection

import msgspec

from edge_agent.store.messages import Event, Kind, OutboxMessage, Tombstone

log = logging.getLogger(__name__)

# Three days away from the broker at more than two events a minute; at some 400 bytes each, 4 MB of the disk.
MAX_EVENTS = 10_000


def queue_summary(db: sqlite3.Connection, session_id: int) -> None:
    """Queue the newest summary of a session."""
    db.execute("DELETE FROM outbox WHERE session_id = ?", (session_id,))
    db.execute(
        "INSERT INTO outbox (kind, athlete, session_id) SELECT ?, athlete, id FROM session WHERE id = ?",
        (Kind.SUMMARY, session_id),
    )
    db.execute("INSERT OR IGNORE INTO shared_athlete (athlete) SELECT athlete FROM session WHERE id = ?", (session_id,))


def queue_revision(db: sqlite3.Connection, session_id: int) -> None:
    """Queue a newer summary of a session, unless the session is not meant for the broker."""
    (shared,) = db.execute(
        "SELECT sent_revision > 0 OR EXISTS (SELECT 1 FROM outbox WHERE session_id = session.id)"
        " FROM session WHERE id = ?",
        (session_id,),
    ).fetchone()
    if shared:
        queue_summary(db, session_id)


def queue_event(db: sqlite3.Connection, event: Event) -> None:
    """Queue an event; when too many wait, the oldest goes."""
    _insert(db, Kind.EVENT, event.athlete, event)
    db.execute("INSERT OR IGNORE INTO shared_athlete (athlete) VALUES (?)", (event.athlete,))
    (waiting,) = db.execute("SELECT count(*) FROM outbox WHERE kind = ?", (Kind.EVENT,)).fetchone()
    if waiting > MAX_EVENTS:
        log.warning("outbox: %d events wait for the broker, the oldest of them is dropped", MAX_EVENTS)
        db.execute("DELETE FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE kind = ?)", (Kind.EVENT,))


def queue_tombstone(db: sqlite3.Connection, tombstone: Tombstone) -> None:
    """Queue the news that an athlete was forgotten."""
    _insert(db, Kind.TOMBSTONE, tombstone.athlete, tombstone)


def waiting(db: sqlite3.Connection, limit: int, but_of: Collection[str] = ()) -> list[OutboxMessage]:
    """The messages to send next, oldest first, but for those that concern certain athletes."""
    rows = db.execute(
        "SELECT outbox.id, kind, outbox.athlete, coalesce(payload, summary)"
        " FROM outbox LEFT JOIN session ON session.id = session_id"
        " WHERE outbox.athlete NOT IN (SELECT value FROM json_each(?)) ORDER BY outbox.id LIMIT ?",
        (msgspec.json.encode(list(but_of)).decode(), limit),
    )
    return [OutboxMessage(row, Kind(kind), athlete, payload) for row, kind, athlete, payload in rows]


def acknowledge(db: sqlite3.Connection, message_id: int) -> None:
    """Drop a message that the broker has; one that a newer revision has replaced is gone already."""
    db.execute(
        "UPDATE session SET sent_revision = revision WHERE id = (SELECT session_id FROM outbox WHERE id = ?)",
        (message_id,),
    )
    db.execute("DELETE FROM outbox WHERE id = ?", (message_id,))


def _insert(db: sqlite3.Connection, kind: Kind, athlete: str, message: Event | Tombstone) -> None:
    db.execute(
        "INSERT INTO outbox (kind, athlete, payload) VALUES (?, ?, ?)", (kind, athlete, msgspec.json.encode(message))
    )
