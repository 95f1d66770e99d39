"""Takes commands from the broker, has them obeyed, and answers.

    received ──► read, or refused ──► known id: the first answer ──► obeyed and kept, in one transaction ──► answered
             ──► acknowledged

A command is acknowledged to the broker when its answer is, so one that is cut off anywhere comes again at the next
connection, or is sent again by who misses an answer: it gets the answer that was kept, and if none was, it had no
effect. An id that is new tells by its time, as every id of version 7 does, that it is not an old one whose answer was
dropped (`store.commands`).
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection

import msgspec

from edge_agent.config import CommandName
from edge_agent.errors import JournalError
from edge_agent.store.identifiers import unix_ms_of
from edge_agent.store.journal import Journal
from edge_agent.sync.clock import Clock
from edge_agent.sync.commands import Command, Refusal, RefusedCommandError, parse_command, refused
from edge_agent.sync.connection import KEPT_S, Connection, LostError, Received, RefusedError
from edge_agent.sync.topics import Topics

log = logging.getLogger(__name__)

# As long as the broker keeps one for a device that is away; beside that, no clock here or there is right to the second.
MAX_AGE_S = KEPT_S + 60.0

# Of clocks that are set by NTP.
MAX_AHEAD_S = 60.0

# Commands of people come one at a time. More than this at once are an error of somebody, or an attack: they are dropped
# unacknowledged, and come again at the next connection if they were sent with QoS 1.
_MAX_WAITING = 16

# A topic that a sender names is written to with this device's rights.
_MAX_TOPIC_BYTES = 256


class Inbox:
    """The commands of one device, one after the other."""

    def __init__(
        self,
        journal: Journal,
        connection: Connection,
        topics: Topics,
        clock: Clock,
        *,
        switched_on: Collection[CommandName],
        obey: Callable[[Command], object],
    ) -> None:
        """Listen; nothing is obeyed before `run`.

        Args:
            journal: keeps the answers.
            connection: to listen and answer over; not running yet.
            topics: of this device.
            clock: tells how old an id is.
            switched_on: what is obeyed.
            obey: does what a command says and keeps the answer in the journal in one transaction; raises a
                `RefusedCommandError` instead where that cannot be done.
        """
        self._journal = journal
        self._connection = connection
        self._topics = topics
        self._clock = clock
        self._switched_on = switched_on
        self._obey = obey
        self._waiting: asyncio.Queue[Received] = asyncio.Queue(_MAX_WAITING)
        connection.subscribe(topics.command, self._take)

    async def run(self) -> None:
        """Obey and answer until cancelled."""
        while True:
            received = await self._waiting.get()
            answer = self.answer(received)
            topic, correlation = self._address(received)
            await self._connection.connected()
            try:
                await self._connection.publish(topic, answer, correlation=correlation)
            except LostError:
                continue  # it comes again, or is sent again
            except RefusedError as error:
                log.warning("broker: does not take the answer to a command: %s", error)
            received.acknowledge()

    def answer(self, received: Received) -> bytes:
        """Do what a command says, once, and say what became of it."""
        command_id = None
        try:
            command = self._read(received)
            command_id = command.command_id
            if known := self._journal.answer_to(command_id):
                return known
            self._require_recent(command_id)
            return self._obeyed(command)
        except RefusedCommandError as error:
            log.warning("command: refused (%s)", error.refusal)
            return msgspec.json.encode(refused(command_id, error))
        except JournalError as error:
            log.error("command: %s", error)  # noqa: TRY400 - the trace says nothing more
            return msgspec.json.encode(refused(command_id, _not_now()))

    def _take(self, received: Received) -> None:
        try:
            self._waiting.put_nowait(received)
        except asyncio.QueueFull:
            log.warning("command: dropped, %d others wait", _MAX_WAITING)

    def _read(self, received: Received) -> Command:
        if received.retained:
            msg = "a command must not be retained: it would be obeyed at another moment than it is meant for"
            raise RefusedCommandError(Refusal.RETAINED, msg)
        command = parse_command(received.payload)
        if command.name not in self._switched_on:
            msg = f'it is not switched on here; add "{command.name}" to `commands` in [mqtt] of the device'
            raise RefusedCommandError(Refusal.NOT_SWITCHED_ON, msg)
        return command

    def _require_recent(self, command_id: uuid.UUID) -> None:
        made_s = (unix_ms_of(command_id) or 0) / 1000
        age_s = self._clock.now().timestamp() - made_s
        trusted = self._clock.time_trusted()
        if self._journal.may_be_dropped(command_id) or (trusted and not -MAX_AHEAD_S <= age_s <= MAX_AGE_S):
            msg = (
                f"its id was made {abs(age_s):.0f} s {'before' if age_s > 0 else 'after'} now, as it is here; send a "
                "command with a new id at once, and check the clocks"
            )
            raise RefusedCommandError(Refusal.OUT_OF_DATE, msg)

    def _obeyed(self, command: Command) -> bytes:
        """Obey a new command; its answer, which is on the disk."""
        if not self._journal.writable:
            raise _not_now()
        try:
            self._obey(command)
            log.info("command: %s", command.name)
        except RefusedCommandError as error:
            # Kept as well: the same command, come twice, must not be obeyed the second time.
            log.warning("command: %s refused (%s)", command.name, error.refusal)
            self._journal.keep_answer(command.command_id, msgspec.json.encode(refused(command.command_id, error)))
        if kept := self._journal.answer_to(command.command_id):
            return kept
        raise _not_now()

    def _address(self, received: Received) -> tuple[str, bytes | None]:
        """Where an answer goes: where its sender wants it, unless that would be taken for something that we tell."""
        topic = received.response_topic
        if (
            not topic
            or len(topic.encode()) > _MAX_TOPIC_BYTES
            or topic.startswith(("$", f"{self._topics.prefix}/"))
            or not topic.isprintable()
            or set(topic) & {"+", "#"}
        ):
            topic = self._topics.answer
        return topic, received.correlation


def _not_now() -> RefusedCommandError:
    msg = "the device's disk cannot be written now; send the same command again later, it is not obeyed twice"
    return RefusedCommandError(Refusal.NOT_NOW, msg)
