"""Backups: one SQLite file with the journal as it was at one instant, and with what was learned of each athlete.

A backup is consistent while an agent records: SQLite copies a snapshot. It has the journal's tables and one more,
`learned`, with the files of the folder `athletes`.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge_agent.errors import JournalError
from edge_agent.store import schema
from edge_agent.store.database import FILE_NAME, connect, lock_folder, reading, settle, sync_folder
from edge_agent.store.exchange import exchange, next_file, resume_exchange
from edge_agent.store.recovery import damage_of

LEARNED = "athletes"  # folder beside the journal
_LEARNED_TABLE = "CREATE TABLE learned (file TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT"
_LEARNED_FILE = re.compile(r"[0-9a-f]{32}\.npz")


def back_up(directory: Path, target: Path) -> None:
    """Write a backup; an older one of the same name is replaced when the new one is whole.

    Raises:
        JournalError: there is no sound journal, or the target is something else or cannot be written.
    """
    source = directory / FILE_NAME
    if not source.exists():
        msg = f"{source}: there is no journal; name the folder that `edge-agent run` or `replay` records to"
        raise JournalError(msg)
    if target.exists() and not _is_backup(target):
        msg = f"{target}: is there already and no backup; name another file"
        raise JournalError(msg)
    scratch = target.with_name(f"{target.name}.new")
    with _refusing(target, "cannot be written", "check the folder and the disk"):
        scratch.unlink(missing_ok=True)
        os.close(os.open(scratch, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with reading(source) as old, closing(sqlite3.connect(scratch, isolation_level=None)) as new:
            old.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")  # one file, without a log
            new.execute(_LEARNED_TABLE)
            for file in sorted((directory / LEARNED).glob("*.npz")):
                new.execute("INSERT INTO learned VALUES (?, ?)", (file.name, file.read_bytes()))
        if damage := damage_of(scratch):
            scratch.unlink()
            msg = f"{source}: is damaged ({damage}); no backup was made, start the agent once to have it repaired"
            raise JournalError(msg)
        scratch.replace(target)
        sync_folder(target.absolute().parent)


def restore(source: Path, directory: Path) -> Path | None:
    """Put a backup in the place of the journal, after it was checked; a journal that is there is set aside.

    Returns:
        Where the journal that was there is now; None when there was none.

    Raises:
        JournalError: an agent runs, the file is no sound backup, or the folder cannot be written.
    """
    if not source.is_file():
        msg = f"{source}: there is no such file; name one that `edge-agent backup` wrote"
        raise JournalError(msg)
    with _refusing(source, "cannot be restored", "name a file that `edge-agent backup` wrote"):
        if (damage := damage_of(source)) or not _is_backup(source):
            msg = f"{source}: is {f'damaged ({damage})' if damage else 'no backup'}; name another file"
            raise JournalError(msg)
    lock = lock_folder(directory)
    try:
        with _refusing(directory / FILE_NAME, "cannot be written", "check that the disk has room"):
            resume_exchange(directory)
            target = next_file(directory)
            with reading(source) as backup, closing(connect(target)) as new:
                backup.backup(new)
                _extract_learned(new, directory / LEARNED)
                schema.migrate(new, target)
                settle(new)
            return exchange(directory, label="replaced")
    finally:
        os.close(lock)


def _is_backup(path: Path) -> bool:
    """Whether a file has the tables of a backup and nothing else: neither a trigger nor a view can come in with it.

    Raises:
        JournalError: it is of a newer version.
    """
    with reading(path) as db, closing(sqlite3.connect(":memory:", isolation_level=None)) as model:
        try:
            version = schema.version_of(db, path)
        except sqlite3.DatabaseError:
            return False
        schema.migrate(model, path, to=version)
        model.execute(_LEARNED_TABLE)
        return _layout(db) == _layout(model)


def _layout(db: sqlite3.Connection) -> set[tuple[str, str, str | None]]:
    return set(db.execute("SELECT type, name, sql FROM sqlite_master"))


def _extract_learned(db: sqlite3.Connection, folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in db.execute("SELECT file, content FROM learned"):
        if not _LEARNED_FILE.fullmatch(name):
            msg = f"{name!r} is no file name of what was learned"
            raise sqlite3.DataError(msg)
        scratch = folder / f"{name}.new"
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(folder / name)
    sync_folder(folder)
    db.execute("DROP TABLE learned")


@contextmanager
def _refusing(path: Path, what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        msg = f"{path}: {what} ({error}); {remedy}"
        raise JournalError(msg) from error
