"""What a power cut can leave on a disk: everything that was synced, and of the rest what chance decides.

bytes   each write since the last sync of its file is there, missing or torn: some of its sectors of 512 bytes are
names   files that were made, renamed or deleted since the last sync of a folder are, up to some point in the order
        of these changes, which the journal of a file system keeps
files   a file whose making is missing is missing with all its bytes, synced or not
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.store.trace import Made, Operation, Reached, Renamed, Synced, Written

SECTOR_BYTES = 512


@dataclass(slots=True, eq=False)
class _File:
    """Its bytes on the disk, and the writes that are on their way there."""

    durable: bytearray = field(default_factory=bytearray)
    pending: list[Written] = field(default_factory=list)


Names = dict[str, _File]
Fate = Callable[[Written], Iterable[Written]]


class Disk:
    """A folder of a disk, from what it holds before the first operation."""

    def __init__(self, before: Path) -> None:
        files = (path for path in before.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
        self._seen: Names = {str(p.relative_to(before)): _File(bytearray(p.read_bytes())) for p in files}
        self._durable: Names = dict(self._seen)
        self._pending: list[Callable[[Names], object]] = []

    def apply(self, operation: Operation) -> None:
        """Do what the program did."""
        match operation:
            case Made(path) if path not in self._seen:
                made = _File()
                self._rename(lambda names: names.__setitem__(path, made))
            case Written(path):
                self._seen[path].pending.append(operation)
            case Renamed(path, to):
                self._rename(lambda names: _move(names, path, to))
            case Synced(path) if path in self._seen:
                file = self._seen[path]
                _write(file.durable, file.pending)
                file.pending = []
            case Synced():  # a folder
                self._durable, self._pending = dict(self._seen), []
            case Made() | Reached():
                pass

    def _rename(self, change: Callable[[Names], object]) -> None:
        change(self._seen)
        self._pending.append(change)

    def cut(self, target: Path, fate: Fate, *, names_kept: float) -> None:
        """Put what is left after a power cut into a folder.

        Args:
            target: the folder; made.
            fate: what is left of each write that was not synced.
            names_kept: share of the changes of names that are left.
        """
        names = dict(self._durable)
        for change in self._pending[: round(names_kept * len(self._pending))]:
            change(names)
        target.mkdir()
        for name, file in names.items():
            content = bytearray(file.durable)
            for write in file.pending:
                _write(content, fate(write))
            (target / name).parent.mkdir(exist_ok=True)
            (target / name).write_bytes(content)


def dropped(_: Written) -> Iterable[Written]:
    """Nothing that was not synced is left."""
    return ()


def kept(write: Written) -> Iterable[Written]:
    """All is left, as after a crash of the process alone."""
    return (write,)


def by_chance(chance: random.Random) -> Fate:
    """Each write for itself is left, missing or torn."""

    def fate(write: Written) -> Iterable[Written]:
        match chance.randrange(3), write.data:
            case 0, _:
                return ()
            case 1, bytes(data):
                sectors = range(0, len(data), SECTOR_BYTES)
                left = [start for start in sectors if chance.random() < 0.5]
                return [Written(write.path, write.offset + start, data[start : start + SECTOR_BYTES]) for start in left]
            case _:
                return (write,)

    return fate


def _move(names: Names, path: str, to: str | None) -> None:
    file = names.pop(path, None)
    if to is not None and file is not None:
        names[to] = file


def _write(content: bytearray, writes: Iterable[Written]) -> None:
    for write in writes:
        if len(content) < write.offset:
            content.extend(bytes(write.offset - len(content)))
        if write.data is None:
            del content[write.offset :]
        else:
            content[write.offset : write.offset + len(write.data)] = write.data
