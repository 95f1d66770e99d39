"""Empties the outbox: message by message, in order for each athlete."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from edge_agent.store.journal import Journal
from edge_agent.store.messages import OutboxMessage
from edge_agent.sync.clock import Clock
from edge_agent.sync.connection import Connection, LostError, RefusedError
from edge_agent.sync.disclosure import Disclosure
from edge_agent.sync.topics import Topics

log = logging.getLogger(__name__)

# A message that the broker refuses stays in the outbox and is tried again this much later, and with it all that is of
# the same athlete, so that their order stays; the other athletes' go on.
SET_ASIDE_S = 3600.0

# A broker of MQTT 3.1.1 cannot refuse a message, it ends the connection; others say nothing of it. Once may be an
# accident, and twice.
_BREAKS = 3


class OutboxSync:
    """Sends what the journal has queued; a message leaves the journal when the broker has acknowledged it."""

    def __init__(
        self,
        journal: Journal,
        connection: Connection,
        topics: Topics,
        disclosure: Disclosure,
        clock: Clock,
        *,
        follow: Callable[[OutboxMessage, bytes], Awaitable[None]] | None = None,
    ) -> None:
        """Prepare.

        Args:
            journal: with the outbox.
            connection: to send over.
            topics: to send to.
            disclosure: what of a message is told.
            clock: tells when a message is published.
            follow: called with each message that the broker has, and its payload, before it leaves the outbox.
        """
        self._journal = journal
        self._connection = connection
        self._topics = topics
        self._disclosure = disclosure
        self._clock = clock
        self._follow = follow
        self._loop = asyncio.get_running_loop()
        self._set_aside: dict[str, float] = {}  # athletes, until when
        self._said: dict[str, str] = {}  # by athlete: why
        self._breaks: dict[int, int] = {}  # by message: connections in a row that ended with it
        self._queued = asyncio.Event()
        self._drained = asyncio.Event()
        journal.when_queued(self._on_queued)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._queued.clear()
            while messages := self._waiting():
                for message in messages:
                    if message.athlete not in self._set_aside:
                        await self._send(message)
            if not self._set_aside and not self._queued.is_set():
                self._drained.set()
            await self._until_there_is_more()

    def send_now(self) -> None:
        """Try at once what the broker has refused, too."""
        self._set_aside.clear()
        self._on_queued()

    async def drained(self) -> None:
        """Wait until nothing is queued."""
        await self._drained.wait()

    def _on_queued(self) -> None:
        self._drained.clear()
        self._queued.set()

    def _waiting(self) -> list[OutboxMessage]:
        self._set_aside = {who: until_s for who, until_s in self._set_aside.items() if until_s > self._loop.time()}
        return self._journal.outbox(but_of=frozenset(self._set_aside))

    async def _until_there_is_more(self) -> None:
        pause_s = min(self._set_aside.values()) - self._loop.time() if self._set_aside else None
        try:
            async with asyncio.timeout(pause_s):
                await self._queued.wait()
        except TimeoutError:
            log.debug("outbox: what the broker refused is tried again")

    async def _send(self, message: OutboxMessage) -> None:
        """Have a message acknowledged, or set its athlete's aside."""
        if not self._disclosure.tells(message.kind):  # it was queued while more was shared
            self._journal.acknowledge(message.id)
            return
        topic, payload = self._topics.of(message.kind), self._disclosure.payload(message)
        while True:
            await self._connection.connected()
            now = self._clock.now() if self._clock.time_trusted() else None
            try:
                await self._connection.publish(topic, payload, published_at=now)
            except LostError as lost:
                self._breaks[message.id] = breaks = self._breaks.get(message.id, 0) + 1
                if breaks < _BREAKS:
                    continue
                reason = f"{lost}, {breaks} times in a row; see the broker's log, and its limits ({len(payload)} bytes)"
            except RefusedError as refused:
                reason = str(refused)
            else:
                if self._follow:
                    await self._follow(message, payload)
                self._breaks.pop(message.id, None)
                self._said.pop(message.athlete, None)
                self._journal.acknowledge(message.id)
                return
            self._breaks.pop(message.id, None)
            if reason not in self._said.values():
                log.error("broker: does not take a %s: %s. It is tried again every hour", message.kind, reason)
            self._said[message.athlete] = reason
            self._set_aside[message.athlete] = self._loop.time() + SET_ASIDE_S
            return
