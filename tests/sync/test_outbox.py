"""From the outbox to a real broker: a message leaves the journal when the broker has it, and not before."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import jsonschema
import msgspec
import pytest

from edge_agent.agent.clock import SystemClock
from edge_agent.config import MqttConfig, Share
from edge_agent.store.journal import Journal
from edge_agent.store.messages import SCHEMA, Event, Kind
from edge_agent.store.sessions import NewSession
from edge_agent.store.summary import Second, Summary
from edge_agent.sync.connection import Connection
from edge_agent.sync.disclosure import Disclosure
from edge_agent.sync.outbox import OutboxSync
from edge_agent.sync.schemas import schema_of
from edge_agent.sync.topics import Topics
from tests.mosquitto import free_port, mosquitto, program
from tests.sync.gate import gate


def queue(journal: Journal, count: int, athlete: str = "ada") -> list[str]:
    """Put summaries in the outbox; gives the ids of their sessions."""
    ids = [uuid.uuid4() for _ in range(count)]
    for session_uuid in ids:
        new = NewSession(session_uuid, athlete, datetime.now(UTC), time_trusted=True, model_version="0.1.0")
        row = journal.open_session(new, [Second(0, 120.0, (), {})])
        journal.close_session(row, interrupted=False, enqueue=True)
    return [str(i) for i in ids]


@asynccontextmanager
async def syncing(journal: Journal, config: MqttConfig, clock: SystemClock | None = None) -> AsyncIterator[OutboxSync]:
    topics = Topics(config.topic_prefix, journal.device_id)
    connection = Connection(config, topics, Random(1))  # noqa: S311
    disclosure = Disclosure(config.share, None if config.athlete_names else journal.pseudonym_key)
    async with asyncio.TaskGroup() as tasks:
        sync = OutboxSync(journal, connection, topics, disclosure, clock or SystemClock())
        running = [tasks.create_task(connection.run()), tasks.create_task(sync.run())]
        yield sync
        for task in running:
            task.cancel()


@asynccontextmanager
async def subscriber(port: int, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """mosquitto's own client, subscribed to everything of ours when this begins."""
    process = await asyncio.create_subprocess_exec(
        *(
            "stdbuf",
            "-oL",
            program("mosquitto_sub"),
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-q",
            "1",
            "-v",
            "-d",
            "-t",
            "heartline/#",
        ),
        *options,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        while b"Subscribed" not in await process.stdout.readline():
            pass
        yield process
    finally:
        process.terminate()
        await process.communicate()


async def received(process: asyncio.subprocess.Process, count: int) -> list[tuple[str, Summary]]:
    """The next messages: topic and summary."""
    assert process.stdout is not None
    messages: list[tuple[str, Summary]] = []
    while len(messages) < count:
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        if line.startswith("heartline/") and "/status " not in line:
            topic, payload = line.split(" ", 1)
            jsonschema.validate(json.loads(payload), schema_of(Kind.SUMMARY))
            messages.append((topic, msgspec.json.decode(payload, type=Summary)))
    return messages


async def test_summaries_arrive_in_order_and_the_outbox_is_empty_then(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        ids = queue(journal, 3)
        async with subscriber(port) as sub, syncing(journal, MqttConfig("127.0.0.1", port)) as sync:
            messages = await received(sub, 3)
            await asyncio.wait_for(sync.drained(), 10)
        assert [summary.session_id for _, summary in messages] == ids
        assert {topic for topic, _ in messages} == {f"heartline/{journal.device_id}/session"}
        assert journal.outbox() == []


async def test_what_is_queued_later_is_sent_too(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        async with subscriber(port) as sub, syncing(journal, MqttConfig("127.0.0.1", port)) as sync:
            await asyncio.wait_for(sync.drained(), 10)
            ids = queue(journal, 1)
            await asyncio.wait_for(sync.drained(), 10)
            assert [summary.session_id for _, summary in await received(sub, 1)] == ids


async def test_summaries_wait_for_a_broker_that_is_away(tmp_path: Path) -> None:
    port = free_port()
    with Journal(tmp_path / "store") as journal:
        queue(journal, 2)
        async with syncing(journal, MqttConfig("127.0.0.1", port)) as sync:
            await asyncio.sleep(0.5)
            assert len(journal.outbox()) == 2
            with mosquitto(tmp_path, port=port):
                await asyncio.wait_for(sync.drained(), 20)
        assert journal.outbox() == []


async def test_a_broker_that_dies_before_it_acknowledges_gets_the_message_again(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        ids = queue(journal, 1)
        async with (
            subscriber(port) as sub,
            gate() as door,
            syncing(journal, MqttConfig("127.0.0.1", door.port)) as sync,
        ):
            while not door.taken:
                await asyncio.sleep(0.05)
            assert len(journal.outbox()) == 1
            door.leads_to = port
            assert [s.session_id for _, s in await received(sub, 1)] == ids
            await asyncio.wait_for(sync.drained(), 20)
        assert journal.outbox() == []


async def test_a_message_the_broker_refuses_waits_and_does_not_hold_up_other_athletes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The broker's limit lies between the summaries of an athlete with a long name and those of one with a short."""
    long = "a" * 2000
    settings = "allow_anonymous true\nmax_packet_size 2000\n"
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path, settings=settings) as port:
        queue(journal, 1, long)
        short_ids = queue(journal, 2, "bo")
        queue(journal, 1, long)
        config = MqttConfig("127.0.0.1", port, athlete_names=True)
        async with subscriber(port) as sub, syncing(journal, config):
            assert [s.session_id for _, s in await received(sub, 2)] == short_ids
            while len(journal.outbox()) > 2:
                await asyncio.sleep(0.05)
        assert [message.athlete for message in journal.outbox()] == [long, long]
        assert "2000 bytes at most" in caplog.text
        assert caplog.text.count("does not take") == 1  # and is not asked again and again


async def test_a_broker_that_ends_the_connection_on_a_message_is_not_fed_it_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As brokers of MQTT 3.1.1 do with what is too large."""
    with Journal(tmp_path / "store") as journal:
        queue(journal, 1)
        async with gate() as door, syncing(journal, MqttConfig("127.0.0.1", door.port)):
            while "ends the connection on it" not in caplog.text:
                await asyncio.sleep(0.05)
            assert door.taken == 3
        assert len(journal.outbox()) == 1


async def test_events_are_sent_where_they_are_shared_and_go_unsent_where_they_are_not(tmp_path: Path) -> None:
    event = Event(SCHEMA, str(uuid.uuid4()), 1, "ada", None, None, "2026-03-01T07:30:00+00:00", True, "lap", {"lap": 1})
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        for share, told in ((Share.SUMMARY, 0), (Share.EVENTS, 1)):
            journal.queue_event(event)
            async with subscriber(port) as sub, syncing(journal, MqttConfig("127.0.0.1", port, share=share)) as sync:
                await asyncio.wait_for(sync.drained(), 10)
                queue(journal, 1)
                await asyncio.wait_for(sync.drained(), 10)
                assert sub.stdout is not None
                topics: list[str] = []
                while not (topics and topics[-1].endswith("/session")):
                    line = (await asyncio.wait_for(sub.stdout.readline(), 10)).decode()
                    topics += [line.split(" ")[0]] if line.startswith("heartline/") and "/status " not in line else []
            assert sum(topic.endswith("/event") for topic in topics) == told
        assert journal.outbox() == []
