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

import pytest
from jinja2.sandbox import SandboxedEnvironment

from edge_agent.agent.clock import SystemClock
from edge_agent.config import CommandName, MqttConfig
from edge_agent.store.identifiers import unix_ms_of
from edge_agent.store.journal import Journal
from edge_agent.sync.commands import parse_command
from edge_agent.sync.connection import Connection
from edge_agent.sync.disclosure import Disclosure
from edge_agent.sync.home_assistant import BIRTH_TOPIC, HomeAssistant, discovery, discovery_topic
from edge_agent.sync.outbox import OutboxSync
from edge_agent.sync.topics import Topics
from tests.mosquitto import mosquitto, program
from tests.sync.test_outbox import queue

TOPICS = Topics("heartline", "device-1")


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
            there = [sensor for sensor in sensors.values() if "unique_id" in sensor]
            assert len({sensor["unique_id"] for sensor in there}) == len(there) == 5

            journal.forget_athlete("ada", datetime.now(UTC), time_trusted=True)
            await asyncio.wait_for(sync.drained(), 10)
            assert await described_with(port, journal, athlete="ada", there=False) == before
            assert not await retained(port, mean["state_topic"])


@pytest.mark.parametrize("command", ["start", "stop", "lap", "set_target"])
def test_a_command_that_is_switched_on_is_an_entity_whose_template_makes_one(command: str) -> None:
    switched_on = frozenset({CommandName(command)})
    entities = json.loads(discovery(TOPICS, ['a "b"'], switched_on))["cmps"]
    entity = entities[f'a "b"-{command}']
    assert entity["command_topic"] == TOPICS.command
    # Home Assistant renders it in a sandbox with a `range` that ends at 100,000.
    template = SandboxedEnvironment().from_string(entity["command_template"])
    made = [parse_command(template.render(now=lambda: datetime.now(UTC), value=118.0).encode()) for _ in range(2)]
    assert made[0].command_id != made[1].command_id
    assert [(found.name, getattr(found, "athlete", None)) for found in made] == [(command, 'a "b"')] * 2
    assert getattr(made[0], "heart_rate_bpm", 118.0) == 118.0
    made_s = (unix_ms_of(made[0].command_id) or 0) / 1000
    assert abs(made_s - datetime.now(UTC).timestamp()) < 5
    # What is switched off again has to go, and nothing that deletes has a button.
    others = {key: value for key, value in entities.items() if set(value) == {"p"}}
    assert len(others) == 3
    assert not any("forget" in key for key in entities)


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
