"""Reads the members of a bundle's archive, none of which can be trusted."""

from __future__ import annotations

import hashlib
import io
import math
import re
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BundleError

# What unpacks to more than this is no bundle of ours.
MAX_MEMBER_BYTES = 4_000_000
MAX_TOTAL_BYTES = 8_000_000
MAX_MEMBERS = 32

_FILE_NAME = re.compile(r"[A-Za-z0-9_]+\.[a-z]+")
_ENCRYPTED = 0x1  # bit of a member's flags; PKWARE APPNOTE 4.4.4
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_NPY_VERSION = (1, 0)

# What zipfile and zlib raise on damaged data.
_DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    ValueError,
)


def sha256(content: bytes) -> str:
    """SHA-256 of some bytes, in hex."""
    return hashlib.sha256(content).hexdigest()


def refused(path: Path, reason: str) -> BundleError:
    """A bundle that fails a check."""
    return BundleError(f"{path}: {reason}; do not use this file: fetch the bundle again or use the shipped one")


class Members:
    """Reads members by name, never more than a bound, each checked against its hash."""

    def __init__(self, path: Path, content: bytes) -> None:
        """Look through the archive.

        Args:
            path: of the bundle, for messages.
            content: of it.

        Raises:
            BundleError: it is no zip archive, or one of its members is not what a bundle's is.
        """
        self._path = path
        self._left: dict[str, zipfile.ZipInfo] = {}
        try:
            self._archive = archive = zipfile.ZipFile(io.BytesIO(content))
        except _DAMAGED as error:
            raise refused(path, f"not a whole zip archive ({error})") from error
        if len(archive.infolist()) > MAX_MEMBERS:
            raise refused(path, f"{len(archive.infolist())} members, at most {MAX_MEMBERS} are allowed")
        for info in archive.infolist():
            if reason := self._suspect(info):
                raise refused(path, f"member {info.filename!r} {reason}")
            self._left[info.filename] = info
        if sum(info.file_size for info in archive.infolist()) > MAX_TOTAL_BYTES:
            raise refused(path, f"unpacks to more than {MAX_TOTAL_BYTES} bytes")

    def _suspect(self, info: zipfile.ZipInfo) -> str | None:
        kind = stat.S_IFMT(info.external_attr >> 16)
        # What zipfile was told, and what it made of it: it cuts names at a null byte.
        plain = _FILE_NAME.fullmatch(info.filename) and info.orig_filename == info.filename
        return next(
            (
                reason
                for reason, found in (
                    ("has a name that is no plain file name", not plain),
                    ("is there twice", info.filename in self._left),
                    ("is a symbolic link", kind == stat.S_IFLNK),
                    ("is no plain file", kind not in (0, stat.S_IFREG, stat.S_IFLNK)),
                    ("is encrypted", info.flag_bits & _ENCRYPTED),
                    ("is compressed by an unknown method", info.compress_type not in _METHODS),
                    (f"unpacks to more than {MAX_MEMBER_BYTES} bytes", info.file_size > MAX_MEMBER_BYTES),
                )
                if found
            ),
            None,
        )

    def read(self, name: str, digest: str | None) -> bytes:
        """The content of a member, once.

        Args:
            name: of the member.
            digest: SHA-256 that it must have, in hex; None where there is none to check.

        Raises:
            BundleError: it is missing, damaged, too large, or has another hash.
        """
        info = self._left.pop(name, None)
        if info is None:
            raise refused(self._path, f"member {name} is missing")
        try:
            with self._archive.open(info) as member:
                content = member.read(MAX_MEMBER_BYTES + 1)
        except _DAMAGED as error:
            raise refused(self._path, f"member {name} is damaged ({error})") from error
        if len(content) != info.file_size:
            raise refused(self._path, f"member {name} unpacks to another size than the archive states")
        if digest is not None and sha256(content) != digest:
            raise refused(self._path, f"member {name} does not have the hash its manifest states")
        return content

    @property
    def unread(self) -> list[str]:
        """Names of the members that nobody asked for."""
        return sorted(self._left)


def array(path: Path, name: str, content: bytes) -> NDArray[np.float32]:
    """The array of a .npy file: its size is compared with what is there before anything is allocated for it.

    Args:
        path: of the bundle, for messages.
        name: of the member.
        content: of it.

    Raises:
        BundleError: it does not hold finite float32 values.
    """
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
    except (ValueError, EOFError, OSError, OverflowError, MemoryError, RecursionError, SyntaxError, TypeError) as error:
        raise refused(path, f"member {name} is not an array ({error})") from error
    if version != _NPY_VERSION or fortran or dtype != np.dtype("<f4") or any(size < 0 for size in shape):
        raise refused(path, f"member {name} does not hold float32 values in rows")
    values = content[file.tell() :]
    if math.prod(shape) * dtype.itemsize != len(values):
        raise refused(path, f"member {name} is not an array (of shape {shape} in {len(values)} bytes)")
    values32 = np.frombuffer(values, np.float32).reshape(shape)
    if not np.isfinite(values32).all():
        raise refused(path, f"member {name} does not hold finite float32 values")
    return values32
