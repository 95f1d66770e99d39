"""A room with a virtual radio, straps, and bleak on an adapter that is reached over TCP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bumble.hci import Address
from bumble.link import LocalLink

from edge_agent.demo.agent_process import hci_device
from edge_agent.demo.bleak_bumble import install
from edge_agent.demo.bumble_host import BumbleHost
from edge_agent.demo.radio import virtual_radio
from edge_agent.demo.strap import VirtualStrap
from edge_agent.demo.virtual_sensor import VirtualSensor
from edge_agent.store.sessions import SinceBoot


@asynccontextmanager
async def room(straps: int = 1, *, prepare: Callable[[VirtualStrap], object] = id) -> AsyncIterator[list[VirtualStrap]]:
    """Straps that advertise, named and numbered from 1; bleak hears them."""
    async with bluetooth() as air, AsyncExitStack() as stack:
        worn = [
            VirtualStrap(air.link, name=f"Strap {i}", address=f"F0:00:00:00:00:{i:02X}") for i in range(1, straps + 1)
        ]
        for strap in worn:
            prepare(strap)
            await worn_in(stack, strap)
        yield worn


@dataclass(frozen=True, slots=True)
class Air:
    """A virtual radio with an adapter on it that bleak uses."""

    link: LocalLink
    host: BumbleHost


# Of the adapter: bonds are with it, so they outlive a device only where the next one has the same address.
ADAPTER_ADDRESS = Address("C0:00:00:00:00:01", Address.RANDOM_DEVICE_ADDRESS)


@asynccontextmanager
async def bluetooth(*, keys: Path | None = None, link: LocalLink | None = None) -> AsyncIterator[Air]:
    """An adapter, on a radio of its own or on one that is there already."""
    async with (
        virtual_radio(link) as radio,
        hci_device(radio.transport, address=ADAPTER_ADDRESS, keys=keys) as (device, _),
    ):
        with install(device):
            yield Air(radio.link, BumbleHost(device))


async def worn_in(stack: AsyncExitStack, sensor: VirtualSensor) -> None:
    """Power a sensor on for as long as the stack lasts."""
    await sensor.power_on()
    stack.callback(sensor.power_off)


async def until(condition: Callable[[], object], *, timeout_s: float = 5.0) -> None:
    """Wait for something that another task or process brings about."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, "timed out"
        await asyncio.sleep(0.005)


class StepClock:
    """A clock that stands still but for the sleeps."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def monotonic_s(self) -> float:
        return self._now_s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self._now_s)

    def time_trusted(self) -> bool:
        return True

    def since_boot(self) -> SinceBoot:
        return SinceBoot("virtual", self._now_s)

    async def sleep(self, seconds: float) -> None:
        self._now_s += max(seconds, 0.0)
        await asyncio.sleep(0)
