"""What an inspection finds, whatever the kind of data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Step:
    """One step from files to what a model is trained on.

    Attributes:
        name: `read`, `clean`, `resample`, `filter`, `split`, ...
        what: it does, one sentence.
        unit: of the counts.
        before: how many went in.
        after: how many came out.
        reasons: of the difference, or of how the rest is divided, each with its count.
        code: module that does it.
    """

    name: str
    what: str
    unit: str
    before: int
    after: int
    reasons: Sequence[tuple[str, int]]
    code: str


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something to look at before trusting a recording.

    Attributes:
        where: recording or file.
        what: is odd, one sentence.
        unread: it could not be read at all; the others are used.
    """

    where: str
    what: str
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the data.

    Attributes:
        name: file name without its suffix.
        title: what it shows.
        caption: how to read it, one sentence.
        draw: draws it.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[], Figure]


@dataclass(frozen=True, slots=True)
class Listing:
    """A table of everything: one row for each recording.

    Attributes:
        head: names of the columns.
        rows: cells, as text.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What was found in one kind of data.

    Attributes:
        kind: `heart rate` or `acceleration`.
        facts: the few figures one wants first, each with its name.
        steps: in the order in which they are taken.
        oddities: those that could not be read first.
        pictures: to look at.
        listing: of the recordings.
    """

    kind: str
    facts: Sequence[tuple[str, str]]
    steps: Sequence[Step]
    oddities: Sequence[Oddity]
    pictures: Sequence[Picture]
    listing: Listing


def named(folder: Path, path: Path) -> str:
    """A file as a reader of the page knows it: relative to the folder that was inspected."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else path.name


def text(steps: Sequence[Step]) -> str:
    """The steps as plain text, for a terminal."""
    lines = []
    for step in steps:
        lines.append(f"{step.name:10} {step.before:>10,} -> {step.after:,} {step.unit}")
        lines += [f"{'':10} {count:>10,} {reason}" for reason, count in step.reasons if count]
    return "\n".join(lines)
