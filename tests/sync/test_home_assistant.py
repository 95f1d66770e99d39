"""What Home Assistant sees on a real broker: a device, its athletes, and nothing of those who were forgotten."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from edge_agent.agent.clock import SystemClock
from edge_agent.config import MqttConfig
from edge_agent.store.journal import Journal
from edge_agent.sync.connection import Connection
from edge_agent.sync.disclosure import Disclosure
from edge_agent.sync.home_assistant import BIRTH_TOPIC, HomeAssistant, discovery_topic
from edge_agent.sync.outbox import OutboxSync
from edge_agent.sync.topics import Topics
from tests.mosquitto import mosquitto, program
from tests.sync.test_outbox import queue


@asynccontextmanager
async def shown(journal: Journal, port: int) -> AsyncIterator[OutboxSync]:
    topics = Topics("heartline", journal.device_id)
    connection = Connection(MqttConfig("127.0.0.1", port), topics, Random(1))  # noqa: S311
    disclosure = Disclosure(MqttConfig("x").share, None)
    home_assistant = HomeAssistant(connection, topics, disclosure, journal.shared_athletes)
    async with asyncio.TaskGroup() as tasks:
        sync = OutboxSync(journal, connection, topics, disclosure, SystemClock(), follow=home_assistant.follow)
        running = [tasks.create_task(part) for part in (connection.run(), sync.run(), home_assistant.run())]
        yield sync
        for task in running:
            task.cancel()


async def retained(port: int, topic: str) -> bytes:
    """What the broker has kept at a topic; empty where there is nothing."""
    process = await asyncio.create_subprocess_exec(
        *(program("mosquitto_sub"), "-p", str(port), "-t", topic, "-C", "1", "-W", "1"), stdout=asyncio.subprocess.PIPE
    )
    return (await process.communicate())[0]


async def described(port: int, journal: Journal) -> dict[str, Any]:
    """The device's description."""
    return dict(json.loads(await retained(port, discovery_topic(Topics("heartline", journal.device_id))) or b"{}"))


async def described_with(port: int, journal: Journal, *, athlete: str, there: bool) -> dict[str, Any]:
    """The description, once an athlete is in it or is not."""
    async with asyncio.timeout(20):
        while True:
            description = await described(port, journal)
            if description and any(key.startswith(athlete) for key in description["cmps"]) is there:
                return description


async def test_an_athlete_appears_with_the_first_session_and_goes_when_forgotten(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        async with shown(journal, port) as sync:
            before = await described_with(port, journal, athlete="ada", there=False)
            assert list(before["cmps"]) == ["status"]
            queue(journal, 1)
            await asyncio.wait_for(sync.drained(), 10)
            sensors = (await described_with(port, journal, athlete="ada", there=True))["cmps"]
            mean = sensors["ada-heart_rate_mean_bpm"]
            assert (mean["p"], mean["unit_of_measurement"]) == ("sensor", "bpm")
            assert json.loads(await retained(port, mean["state_topic"]))["heart_rate_mean_bpm"] == 120.0
            assert len({sensor["unique_id"] for sensor in sensors.values()}) == len(sensors)

            journal.forget_athlete("ada", datetime.now(UTC), time_trusted=True)
            await asyncio.wait_for(sync.drained(), 10)
            assert await described_with(port, journal, athlete="ada", there=False) == before
            assert not await retained(port, mean["state_topic"])


async def test_the_description_is_sent_again_when_home_assistant_starts(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        topic = discovery_topic(Topics("heartline", journal.device_id))
        publish = [program("mosquitto_pub"), "-p", str(port), "-q", "1"]
        async with shown(journal, port):
            await described_with(port, journal, athlete="ada", there=False)
            subprocess.run([*publish, "-r", "-n", "-t", topic], check=True)  # as a broker that has lost it
            assert await described(port, journal) == {}
            subprocess.run([*publish, "-t", BIRTH_TOPIC, "-m", "online"], check=True)
            await described_with(port, journal, athlete="ada", there=False)
