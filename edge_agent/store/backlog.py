"""Writes that the disk does not take: kept in memory, in order, until it does."""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_agent.store.database import transaction

log = logging.getLogger(__name__)

# Four hours, longer than any but the longest workouts. A second with its forecasts takes 0.76 kB of memory: 11 MB.
HELD_SECONDS = 4 * 3600

# A disk that fails is asked again at every tenth write, which is every tenth second of a recording.
_RETRY_EVERY = 10

_REMIND_EVERY_S = 600

# Transactions of what was held are this large: one is written in well under a second on a slow card.
_BATCH = 256


@dataclass(frozen=True, slots=True)
class Write:
    """One change of the journal.

    Attributes:
        apply: makes it, within a transaction.
        seconds: recorded seconds in it.
        queues: whether something may wait for the broker then.
    """

    apply: Callable[[sqlite3.Connection], object]
    seconds: int = 0
    queues: bool = False


class Backlog:
    """What waits for the disk."""

    def __init__(self) -> None:
        self._waiting: deque[Write] = deque()
        self._asked = 0
        self.seconds = 0
        self.refused_seconds = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def hold(self, write: Write) -> None:
        """Keep a write for later; of seconds, no more than `HELD_SECONDS`, the first ones."""
        if write.seconds and self.seconds + write.seconds > HELD_SECONDS:
            if not self.refused_seconds:
                log.error(
                    "journal: memory holds %d s, further ones are not recorded before the disk is back", self.seconds
                )
            self.refused_seconds += write.seconds
            return
        self._waiting.append(write)
        self.seconds += write.seconds
        if self.seconds // _REMIND_EVERY_S > (self.seconds - write.seconds) // _REMIND_EVERY_S:
            log.warning("journal: %d s wait in memory, the disk still cannot be written", self.seconds)

    def due(self) -> bool:
        """Whether the disk is to be asked now."""
        self._asked += 1
        return self._asked % _RETRY_EVERY == 0

    def flush(self, db: sqlite3.Connection) -> None:
        """Write what waits, in order; what does not fit goes on waiting.

        Raises:
            sqlite3.Error: the disk does not take all of it yet.
        """
        while self._waiting:
            try:
                self._write(db, min(_BATCH, len(self._waiting)))
            except sqlite3.Error:
                self._write_one(db)  # the disk may have room for one, if not for all
        self._asked = 0
        if self.refused_seconds:
            log.error("journal: %d s were not recorded while the disk was away", self.refused_seconds)
            self.refused_seconds = 0

    def _write(self, db: sqlite3.Connection, count: int) -> None:
        with transaction(db):
            for write in self._first(count):
                write.apply(db)
        for _ in range(count):
            self.seconds -= self._waiting.popleft().seconds

    def _write_one(self, db: sqlite3.Connection) -> None:
        try:
            self._write(db, 1)
        except sqlite3.IntegrityError as error:
            # What it belongs to was lost with a part of the journal; what comes behind it must not wait for ever.
            lost = self._waiting.popleft()
            self.seconds -= lost.seconds
            log.error("journal: %d s have no session any more and are lost (%s)", lost.seconds, error)  # noqa: TRY400

    def _first(self, count: int) -> Iterator[Write]:
        return (self._waiting[i] for i in range(count))
