"""How long sessions are kept: by age and by size, those that the broker has first, oldest first.

A session that has not been sent is in one place only, so it stays until `delete_unsent` says that it may go. A session
whose date cannot be trusted has no age. Order is that of recording, never that of dates.
"""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from edge_agent.store.database import transaction

log = logging.getLogger(__name__)

_CLOSED = "SELECT id FROM session WHERE summary IS NOT NULL AND (sent_revision > 0) = ?"


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept; by default, everything.

    Attributes:
        keep_days: sessions that began longer ago are deleted.
        keep_mb: when the journal holds more, the oldest sessions are deleted.
        delete_unsent: whether that goes for sessions, too, that no broker has acknowledged.
    """

    keep_days: float | None = None
    keep_mb: float | None = None
    delete_unsent: bool = False


def retire(db: sqlite3.Connection, retention: Retention, now: datetime | None) -> int:
    """Delete closed sessions that are not to be kept; when unsent ones stay for that reason alone, it is said.

    Args:
        db: the journal, in autocommit mode: each session goes in a transaction of its own.
        retention: what is kept.
        now: wall time; None while it cannot be trusted, and then nothing is too old.

    Returns:
        How many were deleted.

    Raises:
        sqlite3.Error: the disk cannot be written.
    """
    deleted = 0
    for sent in (True, False):
        too_old = _too_old(db, retention, now, sent=sent)
        if sent or retention.delete_unsent:
            deleted += _delete(db, too_old) + _shrink(db, retention, sent=sent)
        elif too_old or (retention.keep_mb is not None and _used_mb(db) > retention.keep_mb):
            log.warning(
                "journal: sessions past `keep_days` or `keep_mb` stay, since no broker has them; "
                "set `delete_unsent = true` in [store] to let them go"
            )
    return deleted


def _too_old(db: sqlite3.Connection, retention: Retention, now: datetime | None, *, sent: bool) -> list[int]:
    if retention.keep_days is None or now is None:
        return []
    oldest = (now - timedelta(days=retention.keep_days)).astimezone(UTC).isoformat(timespec="seconds")
    return [row for (row,) in db.execute(f"{_CLOSED} AND time_trusted AND started_at < ? ORDER BY id", (sent, oldest))]


def _shrink(db: sqlite3.Connection, retention: Retention, *, sent: bool) -> int:
    deleted = 0
    while retention.keep_mb is not None and _used_mb(db) > retention.keep_mb:
        oldest = [row for (row,) in db.execute(f"{_CLOSED} ORDER BY id LIMIT 1", (sent,))]
        if not oldest:
            break
        deleted += _delete(db, oldest)
    return deleted


def _delete(db: sqlite3.Connection, session_ids: list[int]) -> int:
    for session_id in session_ids:
        with transaction(db):
            db.execute("DELETE FROM session WHERE id = ?", (session_id,))  # and with it, seconds and message
    return len(session_ids)


def _used_mb(db: sqlite3.Connection) -> float:
    """Without the pages that are free for what comes next: the file keeps those."""
    pages, free, size = (
        db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return float((pages - free) * size / 1e6)
