"""Several athletes and several sensors of one athlete, through the whole agent in virtual time."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from bumble.core import UUID
from bumble.link import LocalLink

from edge_agent.agent.session import LiveSession
from edge_agent.config import AgentConfig, Role, SensorConfig, StoreConfig
from edge_agent.demo.strap import VirtualStrap
from edge_agent.demo.virtual_sensor import VirtualSensor
from edge_agent.errors import ConfigError
from edge_agent.sensors.links.roles import ROLES
from edge_agent.sensors.profiles import fitness_machine, running_speed_cadence
from edge_agent.sensors.profiles.fitness_machine import TreadmillData
from edge_agent.sensors.profiles.readings import Reading
from edge_agent.sensors.profiles.running_speed_cadence import RunningSpeedCadence
from tests.reliability.rig import Wearer, adapter, agent, until
from tests.reliability.virtual_time import run_virtual


def strap(link: LocalLink, number: int) -> VirtualStrap:
    return VirtualStrap(link, name=f"Strap {number}", address=f"F0:00:00:00:00:{number:02X}")


def machine(link: LocalLink, role: Role, number: int) -> VirtualSensor:
    return VirtualSensor(
        link,
        name=role.value,
        address=f"F0:00:00:00:00:{number:02X}",
        service=UUID(ROLES[role].service),
        stream=UUID(ROLES[role].stream),
    )


def test_two_athletes_are_recorded_apart(tmp_path: Path) -> None:
    async def story() -> None:
        link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
        straps = [strap(link, 1), strap(link, 2)]
        for worn in straps:
            await worn.power_on()
        sections = "".join(
            f'[[sensors]]\nrole = "heart_rate"\naddress = "{worn.address}"\nathlete = "{name}"\n'
            for worn, name in zip(straps, ("ada", "bob"), strict=True)
        )
        async with adapter(link) as host, agent(tmp_path, sections, host):
            for worn in straps:
                await worn.wait_for_subscriber()
            for _ in range(20):
                await straps[0].notify(bytes([6, 100]))
                await straps[1].notify(bytes([6, 150]))
                await asyncio.sleep(1)

    run_virtual(story())
    with closing(sqlite3.connect(tmp_path / "record" / "journal.sqlite3")) as journal:
        recorded = journal.execute(
            "SELECT athlete, avg(heart_rate_bpm), count(*) >= 19 FROM second JOIN session ON session.id = session_id"
            " WHERE heart_rate_bpm IS NOT NULL GROUP BY athlete"
        ).fetchall()
    assert recorded == [("ada", 100.0, 1), ("bob", 150.0, 1)]


def test_loads_reach_the_frame_from_the_preferred_sensor_and_what_it_lacks_from_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Reading] = []
    add_load = LiveSession.add_load

    def noted(session: LiveSession, load: Reading) -> None:
        taken.append(load)
        add_load(session, load)

    monkeypatch.setattr(LiveSession, "add_load", noted)

    async def story() -> None:
        link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
        worn, treadmill, pod = strap(link, 1), machine(link, Role.TREADMILL, 2), machine(link, Role.FOOT_POD, 3)
        for sensor in (worn, treadmill, pod):
            await sensor.power_on()
        sections = "".join(
            f'[[sensors]]\nrole = "{role}"\naddress = "F0:00:00:00:00:{number:02X}"\n'
            for role, number in ((Role.HEART_RATE, 1), (Role.TREADMILL, 2), (Role.FOOT_POD, 3))
        )
        async with adapter(link) as host, agent(tmp_path, sections, host) as rig:
            for sensor in (worn, treadmill, pod):
                await sensor.wait_for_subscriber()
            heart = asyncio.create_task(Wearer(worn).wear())
            for _ in range(30):
                await treadmill.notify(fitness_machine.encode(TreadmillData(speed_mps=3.0, grade=0.02)))
                await pod.notify(running_speed_cadence.encode(RunningSpeedCadence(2.5, 172, None, None, running=True)))
                await asyncio.sleep(1)
            heart.cancel()
            assert rig.status().sources["athlete"] == {
                "heart_rate_bpm": "heart_rate 1",
                "speed_mps": "treadmill 1",
                "grade": "treadmill 1",
                "cadence_rpm": "foot_pod 1",
            }

    run_virtual(story())
    values = {
        quantity: {load.value for load in taken if load.quantity is quantity}
        for quantity in {x.quantity for x in taken}
    }
    assert {quantity.value: sorted(round(value, 2) for value in found) for quantity, found in values.items()} == {
        "speed_mps": [3.0],
        "grade": [0.02],
        "cadence_rpm": [86.0],
    }


def test_a_session_ends_after_five_minutes_without_a_heart_rate_and_another_begins(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def story() -> None:
        link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
        worn = strap(link, 1)
        await worn.power_on()
        async with AsyncExitStack() as stack:
            host = await stack.enter_async_context(adapter(link))
            await stack.enter_async_context(agent(tmp_path, f'[strap]\naddress = "{worn.address}"', host))
            await worn.wait_for_subscriber()
            for bpm in (100, 120):
                for _ in range(10):
                    await worn.notify(bytes([6, bpm]))
                    await asyncio.sleep(1)
                if bpm == 100:
                    await worn.go_out_of_range()
                    await until(lambda: "session: closed" in caplog.text, timeout_s=400)
                    await worn.come_back()
                    await until(lambda: worn.subscribed)

    run_virtual(story())
    assert caplog.text.count("session: begun") == 2
    assert caplog.text.count("session: closed, 1") == 2


def test_an_agent_without_any_sensor_says_how_to_claim_one(tmp_path: Path) -> None:
    async def story() -> None:
        link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
        async with adapter(link) as host, agent(tmp_path, "", host) as rig:
            await rig.stop.wait()

    with pytest.raises(ConfigError, match="no sensor is claimed; run `edge-agent pair"):
        run_virtual(asyncio.wait_for(story(), 5))


def test_the_sensors_of_a_configuration_count_before_the_claimed_ones() -> None:
    config = AgentConfig(StoreConfig(Path("data")), sensors=(SensorConfig(Role.POWER, name="Meter"),))
    assert config.listed_sensors == (SensorConfig(Role.POWER, name="Meter"),)
