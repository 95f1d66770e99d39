"""Links under test, on a virtual radio or on what the test puts there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from edge_agent.config import SensorConfig
from edge_agent.sensors.links import radio
from edge_agent.sensors.links.claims import Claims
from edge_agent.sensors.links.host import Host
from edge_agent.sensors.links.links import Links
from edge_agent.sensors.links.states import LinkState, SensorStatus
from edge_agent.sensors.links.supervisor import Packet
from edge_agent.sensors.profiles.readings import Quantity, Reading


@dataclass
class Linked:
    """Running links, and what they have given."""

    links: Links
    claims: Claims
    packets: list[Packet] = field(default_factory=list)

    def values(self, quantity: Quantity = Quantity.HEART_RATE, label: str | None = None) -> list[float]:
        return [
            reading.value
            for packet in self.packets
            if label in {None, packet.label}
            for reading in packet.readings
            if isinstance(reading, Reading) and reading.quantity is quantity
        ]

    def status(self, label: str) -> SensorStatus:
        return next(status for status in self.links.status() if status.label == label)

    def link(self, label: str) -> LinkState:
        return self.status(label).link


Link = Callable[[Host, Sequence[SensorConfig]], AbstractAsyncContextManager[Linked]]


@pytest.fixture
def linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Link:
    """Runs links to these sensors; an adapter that is in trouble is looked at more often than in life."""
    monkeypatch.setattr(radio, "FAULT_PAUSE_S", 0.05)

    @asynccontextmanager
    async def run(host: Host, sensors: Sequence[SensorConfig]) -> AsyncIterator[Linked]:
        claims = Claims(tmp_path)
        packets: list[Packet] = []
        links = Links(
            sensors,
            claims,
            host=host,
            now_s=time.monotonic,
            random=Random(1),  # noqa: S311 - of pauses
            on_packet=packets.append,
            on_sensors=lambda _: None,
        )
        task = asyncio.create_task(links.run(), name="links")
        try:
            yield Linked(links, claims, packets)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return run
