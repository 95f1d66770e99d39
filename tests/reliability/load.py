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
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from bumble.core import UUID

from edge_agent.agent.status import read_status
from edge_agent.config import Role
from edge_agent.demo.radio import virtual_radio
from edge_agent.demo.virtual_sensor import VirtualSensor
from edge_agent.sensors.links.roles import ROLES
from edge_agent.sensors.profiles import cycling_power, fitness_machine, running_speed_cadence
from edge_agent.sensors.profiles.cycling_power import CyclingPower
from edge_agent.sensors.profiles.fitness_machine import IndoorBikeData, TreadmillData
from edge_agent.sensors.profiles.running_speed_cadence import RunningSpeedCadence
from tests.fake_bluez import fake_bluez, private_bus
from tests.reliability.rig import Sensor, Wearer

FIND_S = 120.0  # real time to start the agent and connect everything

# Role, packets per second and one of them: machines and power meters send up to four times a second, pods once.
OTHERS = (
    (Role.TREADMILL, 4.0, fitness_machine.encode(TreadmillData(speed_mps=3.0, grade=0.01))),
    (Role.BIKE, 4.0, fitness_machine.encode(IndoorBikeData(speed_mps=8.0, cadence_rpm=85.0, power_w=210))),
    (Role.FOOT_POD, 1.0, running_speed_cadence.encode(RunningSpeedCadence(3.0, 172, None, None, running=True))),
    (Role.POWER, 4.0, cycling_power.encode(CyclingPower(210))),
)


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
    bring: Callable[[Role, str], Awaitable[Sensor]]
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@asynccontextmanager
async def bumble_room() -> AsyncIterator[Room]:
    """Virtual sensors on a virtual radio, and a controller that the agent has over HCI."""
    async with virtual_radio() as radio, AsyncExitStack() as stack:

        async def bring(role: Role, address: str) -> Sensor:
            service, stream = UUID(ROLES[role].service), UUID(ROLES[role].stream)
            sensor = VirtualSensor(radio.link, name=role.value, address=address, service=service, stream=stream)
            await sensor.power_on()
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
    worn = [await room.bring(Role.HEART_RATE, f"F0:00:00:00:00:{n:02X}") for n in range(1, straps + 1)]
    wearers = [Wearer(strap) for strap in worn]
    machines = [
        _Machine(await room.bring(role, f"F0:00:00:00:01:{n:02X}"), role, rate_hz, packet)
        for n, (role, rate_hz, packet) in enumerate(OTHERS if others else (), start=1)
    ]
    sensors = [*worn, *(m.sensor for m in machines)]
    _write_config(directory, worn, machines)
    probe = directory / "probe.json"
    agent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.reliability.probed_agent", "--probe", str(probe)),
        *(*room.arguments, "--config", str(directory / "agent.toml")),
        env={**os.environ, **room.environment},
    )
    os.sched_setaffinity(agent.pid, {max(os.sched_getaffinity(0))})
    async with asyncio.timeout(FIND_S):
        for sensor in sensors:
            await sensor.wait_for_subscriber()
    stop = asyncio.Event()
    playing = [asyncio.create_task(_wear(w, n / len(wearers), stop)) for n, w in enumerate(wearers)]
    playing += [asyncio.create_task(m.play(stop)) for m in machines]
    await asyncio.sleep(5)  # sessions begin, arrays are made
    before_s = _cpu_s(agent.pid)
    await asyncio.sleep(duration_s)
    used_s = _cpu_s(agent.pid) - before_s
    stop.set()
    await asyncio.gather(*playing)
    await asyncio.sleep(3)  # the last frames have to pass before they count
    peak_mb = _peak_mb(agent.pid)
    agent.send_signal(signal.SIGTERM)
    assert await agent.wait() == 0
    times = json.loads(probe.read_text())
    return Load(
        sensors=len(sensors),
        over=room.over,
        duration_s=duration_s,
        sent=sum(len(w.sent_ms) for w in wearers) + sum(m.sent for m in machines),
        lost=_lost(directory / "record", wearers, machines),
        core=used_s / duration_s,
        peak_mb=peak_mb,
        from_due_ms=_percentiles_ms(times["from_due"]),
        from_arrival_ms=_percentiles_ms(times["from_arrival"]),
    )


@dataclass
class _Machine:
    sensor: Sensor
    role: Role
    rate_hz: float
    packet: bytes
    sent: int = 0

    async def play(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        while not stop.is_set():
            await self.sensor.notify(self.packet)
            self.sent += 1
            await asyncio.sleep(begun_s + self.sent / self.rate_hz - loop.time())


async def _wear(wearer: Wearer, phase_s: float, stop: asyncio.Event) -> None:
    await asyncio.sleep(phase_s)
    while not stop.is_set():
        await wearer.beat()


def _write_config(directory: Path, straps: list[Sensor], machines: list[_Machine]) -> None:
    claims = [(Role.HEART_RATE, strap.address, f"athlete {n}") for n, strap in enumerate(straps)]
    claims += [(m.role, m.sensor.address, f"athlete {n // 2}") for n, m in enumerate(machines)]
    sections = [f'[[sensors]]\nrole = "{r}"\naddress = "{a}"\nathlete = "{who}"\n' for r, a, who in claims]
    (directory / "agent.toml").write_text("".join(sections) + '[store]\ndirectory = "record"\n')


def _lost(record: Path, wearers: list[Wearer], machines: list[_Machine]) -> int:
    status = read_status(record)
    assert status is not None
    received = [sensor.frames for sensor in status.sensors]
    sent = [len(w.sent_ms) for w in wearers] + [m.sent for m in machines]
    lost = sum(abs(s - r) for s, r in zip(sent, received, strict=True))
    with closing(sqlite3.connect(f"file:{record}/journal.sqlite3?mode=ro", uri=True)) as journal:
        for number, wearer in enumerate(wearers):
            rows = journal.execute(
                "SELECT rr_intervals_ms FROM second JOIN session ON session.id = session_id"
                " WHERE athlete = ? AND rr_intervals_ms IS NOT NULL ORDER BY session_id, t_s",
                (f"athlete {number}",),
            )
            recorded = [interval for (text,) in rows for interval in msgspec.json.decode(text)]
            lost += recorded != wearer.sent_ms
    return lost


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1.024 / 1000 for line in lines if line.startswith("VmHWM:"))


def _percentiles_ms(times_s: list[float]) -> tuple[float, float]:
    return 1000 * statistics.median(times_s), 1000 * statistics.quantiles(times_s, n=100, method="inclusive")[98]
