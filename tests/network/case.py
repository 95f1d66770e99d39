"""A case of the network table: what goes wrong between a device and a real broker, and what comes of it.

The device is the agent's journal, outbox and connection; a backend that only counts is subscribed at the broker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec


class World(Enum):
    """Where a case is played."""

    SIMULATED = "simulated time"
    REAL = "real time"
    OWN_NETWORK = "real time, in a network namespace of its own"


class Row(msgspec.Struct, frozen=True):
    """What came of a case.

    Attributes:
        said: what the agent said, each sentence once, and how often.
        attempts: connections that the device made or tried in all; None where they are not counted.
        recovered_s: from when it was mended until the broker had all; where nothing is mended, from the start.
        sent: messages that were queued.
        lost: of them, how many never reached the backend.
        twice: how often one reached it again.
        noticed_s: how long it took until the agent said something of it; None where that was at once.
    """

    said: dict[str, int]
    attempts: int | None
    recovered_s: float
    sent: int
    lost: int
    twice: int
    noticed_s: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """Something that goes wrong.

    Attributes:
        fault: what, for people.
        play: does it, in an empty folder, and lasts as long as it is told where it can be longer or shorter.
        world: where it is played.
    """

    fault: str
    play: Callable[[Path], Coroutine[Any, Any, Row]]
    world: World = World.SIMULATED


class _Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.sentences: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        self.sentences[text] = self.sentences.get(text, 0) + 1


@contextmanager
def noted() -> Iterator[dict[str, int]]:
    """What the agent says meanwhile of broker and outbox, and how often."""
    handler, logger = _Said(), logging.getLogger("edge_agent.sync")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler.sentences
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
