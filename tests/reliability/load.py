"""Straps and other sensors at full rate, in real time, with the agent on one core.

The sensors are in this process; the agent is in one of its own, pinned to a core. It reaches them in one of two ways:
over HCI on a loopback port, with bumble's host in the agent's process, in Python; or, as in life, by bleak's BlueZ
backend over D-Bus, where an emulated `org.bluez` takes the place of bluetoothd and the kernel, whose work is not in the
figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import statistics
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge_agent.agent.status import read_status
from edge_agent.config import Role
from edge_agent.demo.radio import virtual_radio
from edge_agent.sensors.links.roles import ROLES
from tests.fake_bluez import fake_bluez, private_bus
from tests.reliability.crowd import INTERVALS, Bring, Crowd, bring_virtual, gather_crowd
from tests.reliability.rig import Sensor

FIND_S = 120.0  # real time to start the agent and connect everything


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it.

    Attributes:
        sensors: how many.
        over: what was between them and the agent.
        duration_s: measured, after everything was connected.
        sent: packets that left the sensors while measured and before.
        lost: of them, not received by the agent, or, of a strap, not in the journal in order.
        core: share of one core, kernel time included.
        peak_mb: largest resident set of the agent's process.
        from_due_ms: median and 99th percentile, from a second's end to its forecast on the disk.
        from_arrival_ms: likewise, from the arrival of the second's frame.
    """

    sensors: int
    over: str
    duration_s: float
    sent: int
    lost: int
    core: float
    peak_mb: float
    from_due_ms: tuple[float, float]
    from_arrival_ms: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Room:
    """Where the agent finds its sensors.

    Attributes:
        over: what is between them, in words.
        bring: puts a sensor of a role into it, at an address.
        arguments: of the agent's command.
        environment: of its process, beside this one's.
    """

    over: str
    bring: Bring
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def bumble_room() -> AsyncIterator[Room]:
    """Virtual sensors on a virtual radio, and a controller that the agent has over HCI."""
    async with virtual_radio() as radio, AsyncExitStack() as stack:

        async def bring(role: Role, address: str) -> Sensor:
            sensor = await bring_virtual(radio.link, role, address)
            stack.callback(sensor.power_off)
            return sensor

        yield Room("HCI, bumble's host", bring, ("--hci", radio.transport))


@asynccontextmanager
async def bluez_room(directory: Path) -> AsyncIterator[Room]:
    """An emulated `org.bluez` with sensors, on a bus of its own."""
    with private_bus(directory) as bus:
        async with fake_bluez(bus, name="somebody else's", address="F0:00:00:00:02:01") as daemon:

            async def bring(role: Role, address: str) -> Sensor:
                await asyncio.sleep(0)
                profile = ROLES[role]
                return daemon.bring(name=role.value, address=address, service=profile.service, stream=profile.stream)

            yield Room("D-Bus, bleak's BlueZ backend", bring, environment={"DBUS_SYSTEM_BUS_ADDRESS": bus})


async def measure(directory: Path, room: Room, *, straps: int, others: bool, duration_s: float) -> Load:
    """Run the agent on this many straps, one athlete each, and, where asked for, the other sensors.

    Args:
        directory: for the record; in memory, or the disk is what is measured.
        room: where the sensors are to be.
        straps: how many.
        others: whether the four others are there too.
        duration_s: real time.
    """
    crowd = await gather_crowd(room.bring, straps=straps, others=others)
    (directory / "agent.toml").write_text(f'{crowd.configuration()}[store]\ndirectory = "record"\n')
    probe = directory / "probe.json"
    agent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.reliability.probed_agent", "--probe", str(probe)),
        *(*room.arguments, "--config", str(directory / "agent.toml")),
        env={**os.environ, **room.environment},
    )
    os.sched_setaffinity(agent.pid, {max(os.sched_getaffinity(0))})
    async with asyncio.timeout(FIND_S):
        await crowd.subscribed()
    async with crowd.playing():
        await asyncio.sleep(5)  # sessions begin, arrays are made
        before_s = _cpu_s(agent.pid)
        await asyncio.sleep(duration_s)
        used_s = _cpu_s(agent.pid) - before_s
    await asyncio.sleep(3)  # the last frames have to pass before they count
    peak_mb = _peak_mb(agent.pid)
    agent.send_signal(signal.SIGTERM)
    assert await agent.wait() == 0
    times = json.loads(probe.read_text())
    return Load(
        sensors=len(crowd.sensors),
        over=room.over,
        duration_s=duration_s,
        sent=sum(crowd.sent),
        lost=_lost(directory / "record", crowd),
        core=used_s / duration_s,
        peak_mb=peak_mb,
        from_due_ms=_percentiles_ms(times["from_due"]),
        from_arrival_ms=_percentiles_ms(times["from_arrival"]),
    )


def _lost(record: Path, crowd: Crowd) -> int:
    status = read_status(record)
    assert status is not None
    with closing(sqlite3.connect(f"file:{record}/journal.sqlite3?mode=ro", uri=True)) as journal:
        recorded_ms = {
            athlete: [
                interval
                for (text,) in journal.execute(INTERVALS.format(athlete=athlete))
                for interval in msgspec.json.decode(text)
            ]
            for athlete in crowd.athletes
        }
    return crowd.lost(status, recorded_ms)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1.024 / 1000 for line in lines if line.startswith("VmHWM:"))


def _percentiles_ms(times_s: list[float]) -> tuple[float, float]:
    return 1000 * statistics.median(times_s), 1000 * statistics.quantiles(times_s, n=100, method="inclusive")[98]
