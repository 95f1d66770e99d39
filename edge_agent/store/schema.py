"""The journal's tables, as a chain of migrations: `schema/N.sql` leads from version N - 1 to version N.

A new file runs all of them, an older one those it lacks, each in one transaction with its version number; there is no
way back. `PRAGMA user_version` holds the version.
"""

from __future__ import annotations

import secrets
import sqlite3
import uuid
from importlib.resources import files
from pathlib import Path

from edge_agent.errors import JournalError

VERSION = 6


def version_of(db: sqlite3.Connection, path: Path) -> int:
    """Version of a journal; 0 of an empty file.

    Raises:
        JournalError: a newer heartline has written it.
        sqlite3.Error: it cannot be read, or is no journal.
    """
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        msg = (
            f"{path}: written by a newer heartline (schema {version}, this one knows {VERSION}); upgrade heartline, or "
            "restore a backup made before the upgrade"
        )
        raise JournalError(msg)
    return int(version)


def migrate(db: sqlite3.Connection, path: Path, *, to: int = VERSION) -> None:
    """Bring a journal to version `to`.

    Args:
        db: an open journal, in autocommit mode.
        path: of its file, for the message.
        to: version to end with.

    Raises:
        JournalError: a newer heartline has written it.
        sqlite3.Error: it cannot be read or written, or is no journal.
    """
    version = version_of(db, path)
    for step in range(version + 1, to + 1):
        script = files("edge_agent.store").joinpath("schema", f"{step}.sql").read_text(encoding="utf-8")
        try:
            db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version={step};")
            if step == 1:
                db.execute("INSERT INTO device (id) VALUES (?)", (str(uuid.uuid4()),))
            if step == 3:  # noqa: PLR2004 - the schema that has this column
                db.execute("UPDATE device SET pseudonym_key = ?", (secrets.token_bytes(32),))
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
