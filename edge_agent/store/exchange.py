"""Puts another file in the journal's place, so that a power cut at any step leaves the old journal or the new one.

    1  the new file is made beside the old one, whole and on the disk
    2  the old file is renamed, then its log
    3  the new file is renamed

A log never lies beside a database that is not its own: SQLite would play it into that. After 2 there is a new file and
no journal, by which the next start sees that 3 is missing; a new file beside a journal was never finished.
"""

from __future__ import annotations

from pathlib import Path

from edge_agent.store.database import FILE_NAME, sync_folder

_NEXT = f"{FILE_NAME}.next"
_LOG, _SHARED_MEMORY, _ROLLBACK = "-wal", "-shm", "-journal"


def next_file(directory: Path) -> Path:
    """Path at which to make the new file; what an earlier attempt left there is deleted."""
    for suffix in ("", _LOG, _SHARED_MEMORY, _ROLLBACK):
        (directory / f"{_NEXT}{suffix}").unlink(missing_ok=True)
    return directory / _NEXT


def exchange(directory: Path, *, label: str) -> Path | None:
    """Put the new file, which must be whole and closed, in the journal's place.

    Args:
        directory: the store's folder, locked by the caller.
        label: why the old file is set aside, as a part of its new name.

    Returns:
        Where the old file is now; None when there was none.
    """
    sync_folder(directory)
    aside = _free_name(directory, label)
    journal = directory / FILE_NAME
    found = journal.exists()
    if found:
        journal.rename(aside)
        sync_folder(directory)
    _finish(directory, aside)
    return aside if found else None


def resume_exchange(directory: Path) -> None:
    """Finish an exchange that a crash has cut off, or undo it."""
    if not (directory / _NEXT).exists():
        return
    if (directory / FILE_NAME).exists():
        next_file(directory)
        return
    aside = set_aside(directory)
    _finish(directory, aside[-1] if aside else directory / f"{FILE_NAME}.lost-1")


def set_aside(directory: Path) -> list[Path]:
    """Old files in a store's folder, each without its log, in the order of their exchange."""
    found = [p for p in directory.glob(f"{FILE_NAME}.*-*") if p.suffix.rpartition("-")[2].isdigit()]
    return sorted(found, key=lambda p: int(p.suffix.rpartition("-")[2]))


def delete_set_aside(directory: Path) -> int:
    """Delete all old files with their logs; gives their number."""
    found = set_aside(directory)
    for path in found:
        for suffix in ("", _LOG, _SHARED_MEMORY):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    sync_folder(directory)
    return len(found)


def _finish(directory: Path, aside: Path) -> None:
    journal = directory / FILE_NAME
    log = journal.with_name(journal.name + _LOG)
    if log.exists():
        log.rename(aside.with_name(aside.name + _LOG))
    journal.with_name(journal.name + _SHARED_MEMORY).unlink(missing_ok=True)
    sync_folder(directory)
    (directory / _NEXT).rename(journal)
    sync_folder(directory)


def _free_name(directory: Path, label: str) -> Path:
    """Numbered, not dated: the clock may be wrong."""
    numbers = [int(path.suffix.rpartition("-")[2]) for path in set_aside(directory)]
    return directory / f"{FILE_NAME}.{label}-{max(numbers, default=0) + 1}"
