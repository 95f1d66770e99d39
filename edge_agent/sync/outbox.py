"""Empties the outbox, message by message, in order."""

from __future__ import annotations

import asyncio

from edge_agent.store.journal import Journal
from edge_agent.sync.publisher import Publisher


class OutboxSync:
    """Sends what the journal has queued; a message leaves the journal when the broker has acknowledged it."""

    def __init__(self, journal: Journal, publisher: Publisher) -> None:
        self._journal = journal
        self._publisher = publisher
        self._queued = asyncio.Event()
        self._drained = asyncio.Event()
        journal.when_queued(self.notify)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._queued.clear()
            while messages := self._journal.outbox():
                for message in messages:
                    await self._publisher.publish(message)
                    self._journal.acknowledge(message.id)
            if not self._queued.is_set():
                self._drained.set()
                await self._queued.wait()

    def notify(self) -> None:
        """Say that a message was queued."""
        self._drained.clear()
        self._queued.set()

    async def drained(self) -> None:
        """Wait until nothing is queued."""
        await self._drained.wait()
