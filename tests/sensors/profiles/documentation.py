"""The table of `docs/profiles.md`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.architecture.imports import REPOSITORY

_LINE = re.compile(
    r"^\| (?P<name>[^|]+) \| [^|]+ \| `edge-agent decode (?P<uuid>\S+) (?P<hex>[0-9a-f]+)` \| `(?P<answer>.+)` \|$"
)


@dataclass(frozen=True, slots=True)
class DocumentedPacket:
    """One line: a command and its answer."""

    name: str
    uuid: str
    hex: str
    answer: str


def documented_packets() -> list[DocumentedPacket]:
    """Every line of the table."""
    lines = (REPOSITORY / "docs" / "profiles.md").read_text(encoding="utf-8").splitlines()
    return [DocumentedPacket(**found.groupdict()) for line in lines if (found := _LINE.match(line))]
