"""Commands over a real broker: done once, answered where their sender wants it, refused with a reason."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import jsonschema
import msgspec
import pytest

from edge_agent.config import CommandName, MqttConfig
from edge_agent.store import commands
from edge_agent.store.identifiers import uuid7
from edge_agent.store.journal import Journal
from edge_agent.sync.commands import SCHEMA, Answer, Command, Refusal, RefusedCommandError
from edge_agent.sync.connection import Connection, Received
from edge_agent.sync.inbox import MAX_AGE_S, Inbox
from edge_agent.sync.schemas import schema_of
from edge_agent.sync.topics import Topics
from tests.mosquitto import mosquitto, program
from tests.sync.gate import gate

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
TOPICS = Topics("heartline", "device-1")
SWITCHED_ON = frozenset({CommandName.LAP, CommandName.STOP})


@dataclass
class SetClock:
    """A clock that a test sets."""

    at: datetime = NOW
    trusted: bool = True

    def now(self) -> datetime:
        return self.at

    def time_trusted(self) -> bool:
        return self.trusted


@dataclass
class Device:
    """Counts what it is told to do.

    Attributes:
        refusal: of what it is told next.
    """

    journal: Journal
    clock: SetClock = field(default_factory=SetClock)
    obeyed: list[uuid.UUID] = field(default_factory=list)
    refusal: RefusedCommandError | None = None

    def obey(self, command: Command) -> None:
        if self.refusal:
            raise self.refusal
        with self.journal.together():
            answer = msgspec.json.encode(Answer(SCHEMA, command.command_id, done=True))
            self.journal.keep_answer(command.command_id, answer)
        self.obeyed.append(command.command_id)

    def inbox(self, connection: Connection) -> Inbox:
        return Inbox(self.journal, connection, TOPICS, self.clock, switched_on=SWITCHED_ON, obey=self.obey)

    def answer_to(self, payload: bytes, *, retained: bool = False) -> Answer:
        """Without a broker."""
        inbox = self.inbox(connection_to(1))
        encoded = inbox.answer(Received(payload, retained, None, None, lambda: None))
        jsonschema.validate(json.loads(encoded), schema_of("answer"))
        return msgspec.json.decode(encoded, type=Answer)


def connection_to(port: int) -> Connection:
    return Connection(MqttConfig("127.0.0.1", port), TOPICS, Random(1))  # noqa: S311


def lap(command_id: uuid.UUID, name: str = "lap") -> bytes:
    return json.dumps({"schema": 1, "command": name, "command_id": str(command_id)}).encode()


@asynccontextmanager
async def listening(device: Device, port: int) -> AsyncIterator[Connection]:
    connection = connection_to(port)
    inbox = device.inbox(connection)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(connection.run()), tasks.create_task(inbox.run())]
        await connection.connected()
        yield connection
        for task in running:
            task.cancel()


async def client(name: str, port: int, *options: str | bytes) -> bytes:
    """Run a program of mosquitto's to its end."""
    process = await asyncio.create_subprocess_exec(
        program(name), "-p", str(port), "-q", "1", *options, stdout=asyncio.subprocess.PIPE
    )
    return (await asyncio.wait_for(process.communicate(), 20))[0]


async def ask(port: int, payload: bytes, *, answer_at: str = "phone/answers") -> Answer:
    """Send a command with MQTT 5's request and response, again until there is an answer, and give that."""
    options = ("-V", "5", "-t", TOPICS.command, "-e", answer_at, "-m", payload, "-W", "10")
    answer = b""
    async with asyncio.timeout(60):
        while not answer:
            answer = await client("mosquitto_rr", port, *options)
    return msgspec.json.decode(answer, type=Answer)


async def test_a_command_is_done_and_answered_where_its_sender_wants_it(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        device = Device(journal)
        async with listening(device, port):
            number = uuid7(NOW)
            assert await ask(port, lap(number)) == Answer(SCHEMA, number, done=True)
            assert await ask(port, lap(number)) == Answer(SCHEMA, number, done=True)
            assert device.obeyed == [number]


async def test_a_sender_that_names_no_topic_or_one_of_ours_is_answered_at_the_documented_one(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        async with listening(Device(journal), port):
            numbers = [uuid7(NOW) for _ in range(3)]
            answers = asyncio.create_task(client("mosquitto_sub", port, "-t", TOPICS.answer, "-C", "3", "-W", "10"))
            others = asyncio.create_task(client("mosquitto_sub", port, "-t", "heartline/+/session", "-W", "3"))
            await asyncio.sleep(0.5)
            named = ("-V", "5", "-D", "publish", "response-topic")
            for number, options in zip(numbers, ((), (*named, "heartline/x/session"), ("-V", "311")), strict=True):
                await client("mosquitto_pub", port, "-t", TOPICS.command, "-m", lap(number), *options)
            found = [msgspec.json.decode(line, type=Answer) for line in (await answers).splitlines()]
            assert [answer.command_id for answer in found] == numbers
            assert not await others


async def test_a_broker_that_passes_no_command_on_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def deny(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)  # CONNECT
        writer.write(bytes.fromhex("2003000000"))  # accepted, no properties (MQTT 5, section 3.2)
        await reader.read(4096)  # SUBSCRIBE
        writer.write(bytes.fromhex("9004 0001 00 87"))  # of message 1: not authorized (section 3.9)
        await reader.read(4096)
        writer.close()

    server = await asyncio.start_server(deny, "127.0.0.1", 0)
    with Journal(tmp_path) as journal:
        connection = connection_to(server.sockets[0].getsockname()[1])
        Device(journal).inbox(connection)
        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(connection.run())
            while "refuses to pass on what is published to heartline/device-1/command" not in caplog.text:
                await asyncio.sleep(0.05)
            running.cancel()
    server.close()
    await server.wait_closed()


async def test_a_command_that_a_broken_connection_left_unanswered_comes_again(tmp_path: Path) -> None:
    """The broker keeps it, because it is acknowledged with its answer; it is not done twice."""
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        device = Device(journal)
        number = uuid7(NOW)
        async with gate() as door:
            door.leads_to = port
            connection = connection_to(door.port)
            device.inbox(connection)  # takes commands, and is cut off before it answers the first
            async with asyncio.TaskGroup() as tasks:
                running = tasks.create_task(connection.run())
                await connection.connected()
                await client("mosquitto_pub", port, "-t", TOPICS.command, "-m", lap(number))
                await asyncio.sleep(0.3)
                running.cancel()
        journal.keep_answer(number, msgspec.json.encode(Answer(SCHEMA, number, done=True)))  # done, in its last moment
        answers = asyncio.create_task(client("mosquitto_sub", port, "-t", TOPICS.answer, "-C", "1", "-W", "10"))
        await asyncio.sleep(0.3)
        async with listening(device, port):
            assert msgspec.json.decode(await answers, type=Answer) == Answer(SCHEMA, number, done=True)
        assert device.obeyed == []


async def test_what_a_command_cannot_be_is_refused_and_not_done(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        device = Device(journal)
        cases = [
            (b"", False, Refusal.MALFORMED),
            (b" " * 5000, False, Refusal.TOO_LARGE),
            (lap(uuid7(NOW)), True, Refusal.RETAINED),
            (lap(uuid7(NOW), "start"), False, Refusal.NOT_SWITCHED_ON),
            (lap(uuid7(NOW - timedelta(seconds=MAX_AGE_S + 1))), False, Refusal.OUT_OF_DATE),
            (lap(uuid7(NOW + timedelta(minutes=2))), False, Refusal.OUT_OF_DATE),
        ]
        for payload, retained, refusal in cases:
            answer = device.answer_to(payload, retained=retained)
            assert (answer.done, answer.refusal) == (False, refusal)
            assert answer.reason
        assert device.obeyed == []


async def test_what_was_refused_once_is_not_done_when_it_comes_again(tmp_path: Path) -> None:
    number = uuid7(NOW)
    with Journal(tmp_path) as journal:
        device = Device(journal, refusal=RefusedCommandError(Refusal.NO_SESSION, "there is none"))
        first = device.answer_to(lap(number))
        assert (first.refusal, first.command_id) == (Refusal.NO_SESSION, number)
        device.refusal = None
        assert device.answer_to(lap(number)) == first
    with Journal(tmp_path) as journal:
        device = Device(journal)
        assert device.answer_to(lap(number)) == first
        assert device.obeyed == []


async def test_a_device_without_the_time_knows_a_replay_of_a_command_whose_answer_was_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MAX_COMMANDS", 2)
    ids = [uuid7(NOW + timedelta(minutes=minute)) for minute in range(4)]
    with Journal(tmp_path) as journal:
        device = Device(journal, SetClock(datetime(1970, 1, 1, tzinfo=UTC), trusted=False))
        assert all(device.answer_to(lap(number)).done for number in ids)
        assert [device.answer_to(lap(number)).refusal for number in ids] == [Refusal.OUT_OF_DATE] * 2 + [None] * 2
        assert device.obeyed == ids


async def test_nothing_is_obeyed_of_which_nothing_could_be_kept(tmp_path: Path) -> None:
    class Unwritable(Journal):
        writable = False

    with Unwritable(tmp_path) as journal:
        device = Device(journal)
        assert device.answer_to(lap(uuid7(NOW))).refusal is Refusal.NOT_NOW
        assert device.obeyed == []
