"""The whole agent in this process, on a radio in memory and in virtual time."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bumble.device import Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host as BumbleStack
from bumble.keys import JsonKeyStore
from bumble.link import LocalLink

from edge_agent.agent.agent import run
from edge_agent.agent.status import Status, read_status
from edge_agent.config import load_config
from edge_agent.demo.bleak_bumble import install
from edge_agent.demo.bumble_host import BumbleHost
from edge_agent.demo.radio import VirtualController
from edge_agent.inference.activity import CurrentActivity
from edge_agent.sensors.links.host import Host
from edge_agent.sensors.profiles import heart_rate
from edge_agent.sensors.profiles.heart_rate import HeartRateMeasurement
from tests.reliability.virtual_time import LoopClock

ADAPTER_ADDRESS = "C0:00:00:00:00:01"
RR_UNIT_MS = 1000 / 1024


@dataclass(frozen=True, slots=True)
class Rig:
    """A running agent, and where it records.

    Attributes:
        directory: of its record.
        stop: ends it.
    """

    directory: Path
    stop: asyncio.Event

    def seconds(self) -> list[dict[str, Any]]:
        """Every journalled second, in order."""
        return self._rows("second")

    def activities(self) -> list[CurrentActivity]:
        """Every journalled activity, in order."""
        return [
            CurrentActivity(row["label"], row["probability"], bool(row["unknown"]), row["cadence_per_min"])
            for row in self._rows("activity")
        ]

    def _rows(self, table: str) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(f"file:{self.directory}/journal.sqlite3?mode=ro", uri=True)) as journal:
            journal.row_factory = sqlite3.Row
            rows = journal.execute(f"SELECT * FROM {table} ORDER BY session_id, t_s").fetchall()  # noqa: S608
        return [dict(row) for row in rows]

    def status(self) -> Status:
        """What the agent wrote last of its sensors."""
        status = read_status(self.directory)
        assert status is not None
        return status

    def rr_intervals_ms(self) -> list[float]:
        """Every journalled interval, in order."""
        return [interval for second in self.seconds() for interval in json.loads(second["rr_intervals_ms"] or "[]")]


@asynccontextmanager
async def agent(directory: Path, sensors: str, host: Host) -> AsyncIterator[Rig]:
    """Run the agent, and stop it in good order.

    Args:
        directory: for its configuration and record.
        sensors: what its configuration says of them.
        host: Bluetooth below bleak.
    """
    config = directory / "agent.toml"
    config.write_text(f'{sensors}\n[store]\ndirectory = "record"\n')
    stop = asyncio.Event()
    running = asyncio.create_task(run(load_config(config), clock=LoopClock(), host=host, stop=stop), name="agent")
    try:
        yield Rig(directory / "record", stop)
    finally:
        stop.set()
        await running


@asynccontextmanager
async def adapter(link: LocalLink, *, keys: Path | None = None) -> AsyncIterator[BumbleHost]:
    """An adapter in memory that bleak uses."""
    stack = BumbleStack()
    stack.controller = VirtualController("adapter", link=link)
    config = DeviceConfiguration(name="adapter", address=Address(ADAPTER_ADDRESS, Address.RANDOM_DEVICE_ADDRESS))
    device = Device(config=config, host=stack)
    if keys is not None:
        device.keystore = JsonKeyStore(ADAPTER_ADDRESS, str(keys))
    await device.power_on()
    with install(device):
        yield BumbleHost(device)


class Sensor(Protocol):
    """What sends to whoever has subscribed."""

    address: str

    @property
    def subscribed(self) -> bool: ...

    async def wait_for_subscriber(self) -> None: ...

    async def notify(self, packet: bytes) -> None: ...


@dataclass
class Wearer:
    """Somebody whose strap sends a beat with a number in it every second, while anybody is subscribed.

    Attributes:
        strap: what is worn.
        sent_ms: the interval of every good frame that left the strap.
        bad: how many bad ones did.
    """

    strap: Sensor
    sent_ms: list[float] = field(default_factory=list)
    bad: int = 0

    async def beat(self, *, contact: bool = True, bpm: int | None = None, period_s: float = 1.0) -> None:
        """Send one good frame, then wait for the next second."""
        if self.strap.subscribed:
            # Each frame has another interval than its neighbours: one that is lost, doubled or swapped shows.
            units = 600 + len(self.sent_ms) * 7 % 400
            bpm = bpm or 100 + len(self.sent_ms) // 10 % 60
            measurement = HeartRateMeasurement(bpm, contact, None, (units * RR_UNIT_MS,))
            self.sent_ms.append(units * RR_UNIT_MS)
            await self.strap.notify(heart_rate.encode(measurement))
        await asyncio.sleep(period_s)

    async def stammer(self, packet: bytes, period_s: float = 1.0) -> None:
        """Send something that is no frame, then wait for the next second."""
        if self.strap.subscribed:
            self.bad += 1
            await self.strap.notify(packet)
        await asyncio.sleep(period_s)

    async def wear(self) -> None:
        """Send good frames until cancelled."""
        while True:
            await self.beat()


async def until(condition: Callable[[], object], *, timeout_s: float = 300.0, every_s: float = 0.01) -> float:
    """Wait, in virtual time, for something that the agent brings about; how long it took in s."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    while not condition():
        assert loop.time() - begun_s < timeout_s, "timed out"
        await asyncio.sleep(every_s)
    return loop.time() - begun_s


def lost(rig: Rig, wearer: Wearer) -> int:
    """Good frames that left the strap and are not in the journal; what is there is in order and once."""
    recorded = rig.rr_intervals_ms()
    if recorded == wearer.sent_ms:
        return 0
    rest = iter(wearer.sent_ms)
    assert all(interval in rest for interval in recorded)
    return len(wearer.sent_ms) - len(recorded)


def lost_before_flush(rig: Rig, wearer: Wearer) -> int:
    """As `lost`, but for the last seconds, which are not over yet."""
    recorded = rig.rr_intervals_ms()
    return int(wearer.sent_ms[: len(recorded)] != recorded) + max(len(wearer.sent_ms) - len(recorded) - 3, 0)
