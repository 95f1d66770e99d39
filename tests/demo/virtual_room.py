"""A room with a virtual radio, straps, and bleak on an adapter that is reached over TCP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

from edge_agent.demo.agent_process import hci_device
from edge_agent.demo.bleak_bumble import install
from edge_agent.demo.radio import virtual_radio
from edge_agent.demo.strap import VirtualStrap
from edge_agent.store.sessions import SinceBoot


@asynccontextmanager
async def room(straps: int = 1, *, prepare: Callable[[VirtualStrap], object] = id) -> AsyncIterator[list[VirtualStrap]]:
    """Straps that advertise, named and numbered from 1; bleak hears them."""
    async with virtual_radio() as radio, AsyncExitStack() as stack:
        worn = [
            VirtualStrap(radio.link, name=f"Strap {i}", address=f"F0:00:00:00:00:{i:02X}") for i in range(1, straps + 1)
        ]
        for strap in worn:
            prepare(strap)
            await strap.power_on()
            stack.callback(strap.power_off)
        device, _ = await stack.enter_async_context(hci_device(radio.transport))
        with install(device):
            yield worn


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
