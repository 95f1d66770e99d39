"""Everything `edge_agent` raises on purpose.

One root, `HeartlineError`. Each error is named for what was found wrong, carries what it found as attributes, and says
in its message what was wrong, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path


class HeartlineError(Exception):
    """Root of the agent's own errors; a command prints it in one line and ends with status 2."""


class MalformedPacketError(HeartlineError):
    """Bytes from a sensor that do not follow the characteristic's layout.

    Attributes:
        characteristic: its assigned number, e.g. `0x2A37`, or its UUID where it has none.
        data: the bytes as received.
        field: which field of them is wrong.
        offset: where it starts in the bytes.
        reason: what is wrong with it.
    """

    def __init__(self, characteristic: str, data: bytes, reason: str, *, field: str, offset: int) -> None:
        self.characteristic = characteristic
        self.data = data
        self.field = field
        self.offset = offset
        self.reason = reason
        shown = data[:32].hex(" ") + (" ..." if len(data) > 32 else "")  # noqa: PLR2004 - enough to recognise it
        super().__init__(f"malformed {characteristic} packet [{shown}]: {field} at offset {offset}: {reason}")


class UnknownCharacteristicError(HeartlineError):
    """A characteristic that cannot be decoded here.

    Attributes:
        uuid: as it was asked for.
        known: those that can, by UUID or assigned number, with their names.
    """

    def __init__(self, uuid: str, known: Mapping[str, str]) -> None:
        self.uuid = uuid
        self.known = known
        super().__init__(
            f"unknown characteristic {uuid!r}; known are: "
            + ", ".join(f"{number} ({name})" for number, name in known.items())
        )


class RecordingError(HeartlineError):
    """A recording that cannot be read.

    Attributes:
        path: the file.
        line: 1-based line in it, None where the format has no lines.
        reason: what is wrong there.
        remedy: what the user can do.
    """

    def __init__(self, path: Path, reason: str, remedy: str, *, line: int | None = None) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        self.remedy = remedy
        where = f"{path}" if line is None else f"{path}, line {line}"
        super().__init__(f"{where}: {reason}; {remedy}")

    def __reduce__(self) -> tuple[Callable[..., RecordingError], tuple[Path, str, str]]:
        """What makes it again in another process; by default that would be the message alone."""
        return partial(RecordingError, line=self.line), (self.path, self.reason, self.remedy)


class ConfigError(HeartlineError):
    """A configuration that cannot be used; the message names the file, the key and the remedy."""


class BundleError(HeartlineError):
    """A model bundle that fails one of its checks, or that no runtime on this device can run."""


class JournalError(HeartlineError):
    """The journal cannot be opened or written; the message names the file and the remedy."""


class LinkError(HeartlineError):
    """The Bluetooth link cannot be used; the message names the cause and the remedy."""
