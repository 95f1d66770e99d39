"""Many sensors at once, at full rate: straps, one athlete each, and beside them machines and pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bumble.core import UUID
from bumble.link import LocalLink

from edge_agent.agent.status import Status
from edge_agent.config import Role
from edge_agent.demo.virtual_sensor import VirtualSensor
from edge_agent.sensors.links.roles import ROLES
from edge_agent.sensors.profiles import cycling_power, fitness_machine, running_speed_cadence
from edge_agent.sensors.profiles.cycling_power import CyclingPower
from edge_agent.sensors.profiles.fitness_machine import IndoorBikeData, TreadmillData
from edge_agent.sensors.profiles.running_speed_cadence import RunningSpeedCadence
from edge_agent.sensors.profiles.uuids import shortest
from tests.reliability.rig import Sensor, Wearer

# Role, packets per second and one of them: machines and power meters send up to four times a second, pods once.
OTHERS = (
    (Role.TREADMILL, 4.0, fitness_machine.encode(TreadmillData(speed_mps=3.0, grade=0.01))),
    (Role.BIKE, 4.0, fitness_machine.encode(IndoorBikeData(speed_mps=8.0, cadence_rpm=85.0, power_w=210))),
    (Role.FOOT_POD, 1.0, running_speed_cadence.encode(RunningSpeedCadence(3.0, 172, None, None, running=True))),
    (Role.POWER, 4.0, cycling_power.encode(CyclingPower(210))),
)

# The intervals that a journal holds of one session's athlete, in order.
INTERVALS = (
    "SELECT rr_intervals_ms FROM second JOIN session ON session.id = session_id"
    " WHERE athlete = '{athlete}' AND rr_intervals_ms IS NOT NULL ORDER BY session_id, t_s"
)

Bring = Callable[[Role, str], Awaitable[Sensor]]


async def bring_virtual(link: LocalLink, role: Role, address: str) -> VirtualSensor:
    """A sensor on a virtual radio."""
    # In 16 bits: an advertisement of 31 bytes has no room for more, and a kernel drops longer ones.
    service, stream = (UUID(shortest(uuid).removeprefix("0x")) for uuid in (ROLES[role].service, ROLES[role].stream))
    sensor = VirtualSensor(link, name=role.value, address=address, service=service, stream=stream)
    await sensor.power_on()
    return sensor


@dataclass
class Machine:
    """What sends one packet again and again."""

    sensor: Sensor
    role: Role
    rate_hz: float
    packet: bytes
    sent: int = 0

    async def play(self, stop: asyncio.Event) -> None:
        """Send until told to stop."""
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        while not stop.is_set():
            await self.sensor.notify(self.packet)
            self.sent += 1
            await asyncio.sleep(begun_s + self.sent / self.rate_hz - loop.time())


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody, and what they sent."""

    wearers: list[Wearer]
    machines: list[Machine]

    @property
    def athletes(self) -> list[str]:
        """Who wears the straps."""
        return [f"athlete {number}" for number in range(len(self.wearers))]

    @property
    def sensors(self) -> list[Sensor]:
        """All of them, the straps first."""
        return [*(w.strap for w in self.wearers), *(m.sensor for m in self.machines)]

    @property
    def sent(self) -> list[int]:
        """Packets that left each of the sensors."""
        return [*(len(w.sent_ms) for w in self.wearers), *(m.sent for m in self.machines)]

    def configuration(self) -> str:
        """What claims them; the first athletes have the machines, two each."""
        claims = [(Role.HEART_RATE, w.strap.address, n) for n, w in enumerate(self.wearers)]
        claims += [(m.role, m.sensor.address, n // 2) for n, m in enumerate(self.machines)]
        return "".join(
            f'[[sensors]]\nrole = "{role}"\naddress = "{address}"\nathlete = "{self.athletes[n]}"\n'
            for role, address, n in claims
        )

    async def subscribed(self) -> None:
        """Wait until all of them are."""
        for sensor in self.sensors:
            await sensor.wait_for_subscriber()

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[None]:
        """Have them send while the context lasts, the straps out of step."""
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(_wear(wearer, number / len(self.wearers), stop))
            for number, wearer in enumerate(self.wearers)
        ]
        tasks += [asyncio.create_task(machine.play(stop)) for machine in self.machines]
        yield
        stop.set()
        await asyncio.gather(*tasks)

    def lost(self, status: Status, recorded_ms: Mapping[str, Sequence[float]]) -> int:
        """Packets that the agent has not received, and athletes whose intervals are not all recorded, in order.

        Args:
            status: what the agent says of its sensors.
            recorded_ms: the intervals that are journalled of each athlete.
        """
        lost = sum(abs(sent - sensor.frames) for sent, sensor in zip(self.sent, status.sensors, strict=True))
        worn = zip(self.athletes, self.wearers, strict=True)
        return lost + sum(list(recorded_ms[athlete]) != wearer.sent_ms for athlete, wearer in worn)


async def gather_crowd(bring: Bring, *, straps: int, others: bool) -> Crowd:
    """Put this many straps, and where asked for the others, where the agent finds them."""
    wearers = [Wearer(await bring(Role.HEART_RATE, f"F0:00:00:00:00:{n:02X}")) for n in range(1, straps + 1)]
    machines = [
        Machine(await bring(role, f"F0:00:00:00:01:{n:02X}"), role, rate_hz, packet)
        for n, (role, rate_hz, packet) in enumerate(OTHERS if others else (), start=1)
    ]
    return Crowd(wearers, machines)


async def _wear(wearer: Wearer, phase_s: float, stop: asyncio.Event) -> None:
    await asyncio.sleep(phase_s)
    while not stop.is_set():
        await wearer.beat()
