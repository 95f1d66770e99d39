"""The check at the start: a damaged journal is set aside, and what can be read of it goes on in a new one.

What it does not find: SQLite keeps no checksum of its pages, so a flipped bit inside of a number is another number.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from pathlib import Path

from edge_agent.store.database import FILE_NAME, connect, reading, says_damaged, says_unreadable
from edge_agent.store.exchange import exchange, next_file, resume_exchange
from edge_agent.store.salvage import salvage

log = logging.getLogger(__name__)


def ensure_sound(directory: Path) -> None:
    """Check the journal of a folder that the caller has locked; replace a damaged one, and say so.

    Raises:
        JournalError: it is damaged and of a newer version, which is left alone.
        OSError, sqlite3.Error: the disk cannot be read or written.
    """
    resume_exchange(directory)
    path = directory / FILE_NAME
    damage = damage_of(path) if path.exists() else None
    if damage is None:
        return
    salvaged = salvage(path, next_file(directory))
    aside = exchange(directory, label="damaged")
    log.error(
        "journal: it was damaged (%s) and is set aside as %s; recording goes on in a new file, with %d sessions, %d "
        "seconds and %d waiting messages that could be read",
        *(damage, aside and aside.name, salvaged.sessions, salvaged.seconds, salvaged.messages),
    )


def damage_of(path: Path) -> str | None:
    """What is wrong with a journal's file; None when nothing is found.

    Raises:
        sqlite3.Error: it cannot be read for another reason than damage.
    """
    if path.with_name(f"{path.name}-journal").exists():  # the making of the file was cut off; reading cannot undo that
        with suppress(sqlite3.DatabaseError):
            connect(path).close()
    try:
        with reading(path) as db:
            (found,) = db.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        if says_damaged(error) or says_unreadable(error):
            return str(error)
        raise
    return None if found == "ok" else " ".join(str(found).removeprefix("*** in database main ***").split())
