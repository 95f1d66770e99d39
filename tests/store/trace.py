"""What a program does to the files of a folder, in order, as strace sees the system calls of the real one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.store.disk import REPOSITORY

CHANGING = ("pwrite64", "ftruncate", "fdatasync", "fsync", "rename", "unlink", "mkdir")
OTHER = ("openat", "write")
# Their effect is not followed here: a program that makes use of them cannot be recorded.
UNKNOWN = (
    "pwritev",
    "pwritev2",
    "writev",
    "fallocate",
    "truncate",
    "renameat",
    "renameat2",
    "unlinkat",
    "link",
    "linkat",
)

_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += \d")
_TEXT = re.compile(r'(?:"|<)((?:\\x[0-9a-f]{2})*)(?:"|>)')


@dataclass(frozen=True, slots=True)
class Made:
    """A file was made, or opened if it was there."""

    path: str


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes were written at an offset; None truncates the file there."""

    path: str
    offset: int
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Synced:
    """All of a file, or of a folder's names, is on the disk."""

    path: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """A name was changed; to None deletes the file."""

    path: str
    to: str | None


@dataclass(frozen=True, slots=True)
class Reached:
    """The program has said which state it has reached."""

    state: str


Operation = Made | Written | Synced | Renamed | Reached


def traced(arguments: Sequence[str], trace: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a Python module under strace; `options` can have it fail or be killed at a system call."""
    calls = ",".join((*CHANGING, *OTHER, *UNKNOWN))
    return subprocess.run(
        [
            *("strace", "-f", "-y", "-xx", "-s", "10000000", "-e", f"trace={calls}", "-o", trace),
            *options,
            *(sys.executable, "-m", *arguments),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


def operations(trace: Path, directory: Path) -> Iterator[Operation]:
    """What a recorded program has done to the files below a folder, and the states it has reached in between."""
    root = f"{directory}/".encode()
    positions: dict[str, int] = {}  # of files that are written from their beginning on
    for name, arguments, texts in _calls(trace):
        if name == "write" and arguments.startswith("1<"):
            yield Reached(texts[1].decode().strip())
        elif texts[0] + b"/" == root and name in {"fsync", "fdatasync"}:
            yield Synced("")
        # -shm is the log's index in shared memory, which is made anew after a restart.
        elif paths := [t.removeprefix(root).decode() for t in texts if t.startswith(root) and not t.endswith(b"-shm")]:
            assert name not in UNKNOWN, arguments[:200]
            yield from _changes(name, arguments, paths, texts[-1], positions)


def _calls(trace: Path) -> Iterator[tuple[str, str, list[bytes]]]:
    """Names of the calls that succeeded, their arguments, and the texts among these."""
    for line in trace.read_text(encoding="ascii").splitlines():
        call = _CALL.match(line)
        if call:
            texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(call[2])]
            yield call[1], call[2], texts


def _changes(
    name: str, arguments: str, paths: Sequence[str], data: bytes, positions: dict[str, int]
) -> Iterator[Operation]:
    """What one call does to the first of its files."""
    path = paths[0]
    match name:
        case "openat":
            if "O_CREAT" in arguments:
                yield Made(path)
            if "O_TRUNC" in arguments:
                yield Written(path, 0, None)
            positions[path] = 0
        case "pwrite64":
            yield Written(path, int(arguments.rpartition(", ")[2]), data)
        case "write":
            yield Written(path, positions[path], data)
            positions[path] += len(data)
        case "ftruncate":
            yield Written(path, int(arguments.rpartition(", ")[2]), None)
        case "fsync" | "fdatasync":
            yield Synced(path)
        case "rename" | "unlink":
            yield Renamed(path, paths[1] if name == "rename" else None)
