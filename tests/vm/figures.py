"""What was seen in the machine, for the table in the docs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tests.vm.image import IMAGES

FILE = IMAGES / "figures.json"


class Figure(msgspec.Struct, frozen=True):
    """How the agent took one fault.

    Attributes:
        fault: what happened.
        recovered_s: from the moment when the link could be again until the agent listened again.
        sent: frames that the strap sent to a subscriber.
        lost: those of them that are not in the journal.
    """

    fault: str
    recovered_s: float | None
    sent: int
    lost: int


class Figures:
    """The figures of one run, on the disk as soon as they are known."""

    def __init__(self, file: Path = FILE) -> None:
        self._file = file
        self._figures: list[Figure] = []

    def add(self, fault: str, *, recovered_s: float | None = None, sent: int, lost: int) -> None:
        """Add a fault."""
        self._figures.append(Figure(fault, recovered_s, sent, lost))
        self._file.write_bytes(msgspec.json.format(msgspec.json.encode(self._figures)))


def read_figures(file: Path = FILE) -> list[Figure]:
    """The figures of the last run."""
    return msgspec.json.decode(file.read_bytes(), type=list[Figure])
