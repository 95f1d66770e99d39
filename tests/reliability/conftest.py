"""Where the fault tests note what they measured."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

FAULTS_FILE = "HEARTLINE_FAULTS_FILE"


class FaultRow(msgspec.Struct, frozen=True):
    """One row of the fault table.

    Attributes:
        fault: what happened.
        sees: what the user sees of it.
        recovered: how long it took, from when it was possible, or what the user has to do.
        frames_lost: good frames that left the strap over a link and are not in the journal.
    """

    fault: str
    sees: str
    recovered: str
    frames_lost: int


NoteFault = Callable[..., None]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """What the agent says can be looked at, and bumble is not listened to."""
    caplog.set_level(logging.INFO, logger="edge_agent")
    logging.getLogger("bumble").setLevel(logging.CRITICAL)


@pytest.fixture
def note_fault() -> NoteFault:
    """Appends a row to the file that `python -m tests.reliability` names, if it does."""

    def note(*, fault: str, sees: str, recovered: str, frames_lost: int) -> None:
        if path := os.environ.get(FAULTS_FILE):
            with Path(path).open("ab") as file:
                file.write(msgspec.json.encode(FaultRow(fault, sees, recovered, frames_lost)) + b"\n")

    return note
