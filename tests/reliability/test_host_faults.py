"""Faults of the host: what happens, what the user sees, how long it takes, and that no frame is lost.

The whole agent runs in virtual time on bleak's BlueZ backend, against an emulated `org.bluez`. Every test notes its row
of the fault table, which `make reliability` writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent.sensors.links.bluez import BlueZHost
from edge_agent.sensors.links.states import AdapterFault
from tests.fake_bluez import FakeBlueZ, fake_bluez, private_bus
from tests.reliability.conftest import NoteFault
from tests.reliability.rig import Rig, Wearer, agent, lost, lost_before_flush, until
from tests.reliability.virtual_time import run_virtual

# A message to the bus daemon and back takes 1 ms; on a busy machine some more.
MOMENT_S = 0.005

NAME, ADDRESS = "HR Strap 1", "F0:00:00:00:00:01"
IN_PROGRESS = ("org.bluez.Error.InProgress", "Operation already in progress")


@dataclass
class HostScene:
    """An agent on an emulated daemon."""

    rig: Rig
    wearer: Wearer
    daemon: FakeBlueZ

    async def connects(self, times: int) -> float:
        """Until so many connection attempts were made; how long it took."""
        return await until(lambda: self.daemon.calls.count("Connect") >= times, every_s=0.5)

    async def subscribed(self) -> float:
        """Until the strap is subscribed to; how long it took."""
        return await until(lambda: self.wearer.strap.subscribed, every_s=0.1)


@asynccontextmanager
async def host_scene(directory: Path, bus: str, *, wait: bool = True) -> AsyncIterator[HostScene]:
    (directory / "sys" / "class" / "bluetooth").mkdir(parents=True)
    async with (
        fake_bluez(bus, name=NAME, address=ADDRESS) as daemon,
        agent(directory, f'[strap]\naddress = "{ADDRESS}"', BlueZHost(sysfs=directory / "sys")) as rig,
    ):
        wearer = Wearer(daemon.strap)
        heart = asyncio.create_task(wearer.wear())
        scene = HostScene(rig, wearer, daemon)
        try:
            if wait:
                await scene.subscribed()
                await asyncio.sleep(20)
            yield scene
            await asyncio.sleep(10)
        finally:
            heart.cancel()
            await asyncio.gather(heart, return_exceptions=True)
            await asyncio.sleep(4)


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


def test_an_adapter_that_is_switched_off(
    tmp_path: Path, bus: str, caplog: pytest.LogCaptureFixture, note_fault: NoteFault
) -> None:
    async def story() -> None:
        async with host_scene(tmp_path, bus) as s:
            s.daemon.refuses["StartDiscovery"] = ("org.bluez.Error.NotReady", "Resource Not Ready")
            s.daemon.switch(powered=False)
            said_s = await until(lambda: "run `bluetoothctl power on`" in caplog.text, every_s=0.1)
            await asyncio.sleep(20)
            assert s.rig.status().adapter_fault is AdapterFault.POWERED_OFF
            s.daemon.refuses.clear()
            s.daemon.switch(powered=True)
            took_s = await s.subscribed()
        assert lost(s.rig, s.wearer) == 0
        assert took_s < 10
        note_fault(
            fault="adapter switched off for 20 s",
            sees="`the Bluetooth adapter is switched off; run bluetoothctl power on`, once",
            recovered=f"said after {said_s:.0f} s; {took_s:.0f} s after it is on again",
            frames_lost=0,
        )

    run_virtual(story(), moment_s=MOMENT_S)


def test_a_scan_refused_as_in_progress(
    tmp_path: Path, bus: str, caplog: pytest.LogCaptureFixture, note_fault: NoteFault
) -> None:
    async def story() -> None:
        async with host_scene(tmp_path, bus) as s:
            s.daemon.refuses["StartDiscovery"] = IN_PROGRESS
            s.daemon.strap.lose_link()
            took_s = await s.subscribed()
        assert lost(s.rig, s.wearer) == 0
        assert took_s < 90
        note_fault(
            fault="every scan refused with `InProgress`, until the adapter is switched off and on",
            sees="the rungs: restart scan, remove stale, power cycle",
            recovered=f"{took_s:.0f} s",
            frames_lost=0,
        )

    run_virtual(story(), moment_s=MOMENT_S)
    assert "next: power cycle" in caplog.text


def test_a_scan_that_died(tmp_path: Path, bus: str, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with host_scene(tmp_path, bus) as s:
            s.daemon.deaf = True
            s.daemon.strap.lose_link()
            noticed_s = await until(lambda: "it hears nothing" in caplog.text, every_s=0.1)
            took_s = noticed_s + await s.subscribed()
        assert lost(s.rig, s.wearer) == 0
        assert noticed_s < 90
        note_fault(
            fault="scan runs and hears nothing, until the adapter is switched off and on",
            sees="`it hears nothing`, and the rungs",
            recovered=f"noticed after {noticed_s:.0f} s, mended after {took_s:.0f} s",
            frames_lost=0,
        )

    run_virtual(story(), moment_s=MOMENT_S)


def test_a_strap_that_is_heard_and_does_not_answer(
    tmp_path: Path, bus: str, caplog: pytest.LogCaptureFixture, note_fault: NoteFault
) -> None:
    async def story() -> None:
        async with host_scene(tmp_path, bus) as s:
            s.daemon.reports_once = True
            s.daemon.ignores.add("Connect")
            s.daemon.strap.lose_link()
            attempts = s.daemon.calls.count("Connect")
            gaps_s = [await s.connects(attempts + number) for number in range(1, 8)]
            s.daemon.ignores.clear()
            took_s = await s.subscribed()
        assert lost(s.rig, s.wearer) == 0
        assert max(*gaps_s, took_s) < 32
        note_fault(
            fault="strap is heard, once a scan, and answers none of seven attempts",
            sees="`heart_rate 1: no answer`, pauses that grow",
            recovered=f"attempts of 15 s, {max(gaps_s) - 15:.0f} s apart at most",
            frames_lost=0,
        )

    run_virtual(story(), moment_s=MOMENT_S)
    assert "heart_rate 1: no answer" in caplog.messages


def test_a_daemon_killed(tmp_path: Path, bus: str, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with host_scene(tmp_path, bus) as s, fake_bluez(bus, name=NAME, address=ADDRESS, replace=True) as second:
            s.wearer.strap = second.strap
            took_s = await s.subscribed()
            await asyncio.sleep(20)
            assert lost_before_flush(s.rig, s.wearer) == 0
        note_fault(
            fault="bluetoothd killed without a word and started again",
            sees="`no signal` after 6 s, then `silent`",
            recovered=f"{took_s:.0f} s",
            frames_lost=0,
        )
        assert took_s < 60

    run_virtual(story(), moment_s=MOMENT_S)
    assert "heart_rate 1: silent" in caplog.messages


def test_an_agent_killed_with_its_link_up(
    tmp_path: Path, bus: str, caplog: pytest.LogCaptureFixture, note_fault: NoteFault
) -> None:
    async def story() -> None:
        async with fake_bluez(bus, name=NAME, address=ADDRESS) as daemon:
            daemon.strap.connect_to_nobody()
            (tmp_path / "sys" / "class" / "bluetooth").mkdir(parents=True)
            host = BlueZHost(sysfs=tmp_path / "sys")
            async with agent(tmp_path, f'[strap]\naddress = "{ADDRESS}"', host):
                took_s = await until(lambda: daemon.strap.subscribed)
        assert took_s < 5
        note_fault(
            fault="agent killed with its link up, and started again",
            sees="`closing a link that an earlier run left open`",
            recovered=f"{took_s:.1f} s after its start",
            frames_lost=0,
        )

    run_virtual(story(), moment_s=MOMENT_S)
    assert "adapter: closing a link that an earlier run left open" in caplog.messages
