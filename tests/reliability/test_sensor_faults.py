"""Faults of sensors: what happens, what the user sees, how long it takes, and that no frame is lost.

The whole agent runs in virtual time on bumble's virtual link. Every test notes its row of the fault table, which
`make reliability` writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from bumble.link import LocalLink

from edge_agent.demo.bumble_host import BumbleHost
from edge_agent.demo.strap import VirtualStrap
from edge_agent.demo.virtual_sensor import Security
from edge_agent.sensors.links.claims import Claims
from edge_agent.sensors.links.pairing import Wanted, pair
from edge_agent.sensors.links.states import Alert, Cause, LinkState, SignalState
from tests.reliability.conftest import NoteFault
from tests.reliability.rig import Rig, Wearer, adapter, agent, lost, until
from tests.reliability.virtual_time import run_virtual


@dataclass
class Scene:
    """An agent that records a strap which somebody wears."""

    rig: Rig
    host: BumbleHost
    link: LocalLink
    straps: list[VirtualStrap]
    wearers: list[Wearer]

    @property
    def strap(self) -> VirtualStrap:
        return self.straps[0]

    @property
    def wearer(self) -> Wearer:
        return self.wearers[0]

    async def break_link(self) -> float:
        """Until the strap is subscribed to again; how long it took."""
        self.strap.lose_link()
        await until(lambda: not self.strap.subscribed)
        return await until(lambda: self.strap.subscribed)


@asynccontextmanager
async def scene(directory: Path, *, straps: int = 1, wearing: bool = True) -> AsyncIterator[Scene]:
    """Straps that the agent has connected to; their wearers' hearts beat, where asked for."""
    link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
    async with AsyncExitStack() as stack:
        worn = [VirtualStrap(link, name=f"Strap {n}", address=f"F0:00:00:00:00:{n:02X}") for n in range(1, straps + 1)]
        for strap in worn:
            await strap.power_on()
        host = await stack.enter_async_context(adapter(link))
        sections = "".join(f'[[sensors]]\nrole = "heart_rate"\naddress = "{strap.address}"\n' for strap in worn)
        rig = await stack.enter_async_context(agent(directory, sections, host))
        for strap in worn:
            await strap.wait_for_subscriber()
        wearers = [Wearer(strap) for strap in worn]
        hearts = [asyncio.create_task(wearer.wear()) for wearer in wearers if wearing]
        try:
            if wearing:
                await asyncio.sleep(30.4)  # not at the moment of a frame: one that is in the air then never arrives
            yield Scene(rig, host, link, worn, wearers)
            await asyncio.sleep(10)
        finally:
            for heart in hearts:
                heart.cancel()
            await asyncio.gather(*hearts, return_exceptions=True)
            await asyncio.sleep(4)


def sensor_now(rig: Rig) -> tuple[LinkState, SignalState, tuple[Alert, ...]]:
    sensor = rig.status().sensors[0]
    return sensor.link, sensor.signal, sensor.alerts


def test_a_strap_out_of_range(tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with scene(tmp_path) as s:
            await s.strap.go_out_of_range()
            await asyncio.sleep(60)
            assert sensor_now(s.rig)[:2] == (LinkState.SEARCHING, SignalState.NO_SIGNAL)
            await s.strap.come_back()
            took_s = await until(lambda: s.strap.subscribed)
        assert took_s < 1
        gaps = [second["heart_rate_bpm"] for second in s.rig.seconds()].count(None)
        assert 55 <= gaps <= 60  # none held for longer than 3 s, none invented
        note_fault(
            fault="strap out of range for a minute",
            sees="`heart_rate 1: link lost`, `no signal` after 6 s, no heart rate in the record",
            recovered=f"{took_s:.1f} s after it advertises again",
            frames_lost=lost(s.rig, s.wearer),
        )
        assert lost(s.rig, s.wearer) == 0

    run_virtual(story())
    assert "heart_rate 1: no signal" in caplog.messages


def test_a_strap_at_the_edge_of_range(tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with scene(tmp_path) as s:
            slowest_s = 0.0
            for _ in range(20):
                frames = len(s.wearer.sent_ms)
                await until(lambda frames=frames: len(s.wearer.sent_ms) > frames, every_s=0.001)  # type: ignore[misc]
                await asyncio.sleep(0.4)
                slowest_s = max(slowest_s, await s.break_link())
            await asyncio.sleep(30)
        assert lost(s.rig, s.wearer) == 0
        note_fault(
            fault="link breaks 20 times in a row, each time after a frame or two",
            sees="`heart_rate 1: link lost`",
            recovered=f"{slowest_s:.1f} s after it advertises again, at most",
            frames_lost=0,
        )
        assert slowest_s < 1

    run_virtual(story())
    assert "heart_rate 1: hung up" not in caplog.messages


def test_a_strap_that_hangs_up(tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with scene(tmp_path, wearing=False) as s:
            await s.wearer.beat()
            slowest_s = 0.0
            for _ in range(20):
                slowest_s = max(slowest_s, await s.break_link())
                await asyncio.sleep(0.4)
            for _ in range(10):
                await s.wearer.beat()
        assert lost(s.rig, s.wearer) == 0
        note_fault(
            fault="link breaks 20 times in a row, before a frame has come",
            sees="`heart_rate 1: hung up`, pauses that grow",
            recovered=f"{slowest_s:.1f} s after it advertises again, at most",
            frames_lost=0,
        )
        assert slowest_s < 6

    run_virtual(story())
    assert "heart_rate 1: hung up" in caplog.messages


def test_a_strap_that_leaves_the_body(tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with scene(tmp_path, wearing=False) as s:
            for _ in range(10):
                await s.wearer.beat()
            for _ in range(20):
                await s.wearer.beat(contact=False)
            assert sensor_now(s.rig)[:2] == (LinkState.CONNECTED, SignalState.NO_CONTACT)
            await s.wearer.beat()
        assert lost(s.rig, s.wearer) == 0
        assert [second["heart_rate_bpm"] for second in s.rig.seconds()][:31].count(None) == 20
        note_fault(
            fault="strap off the body, link up",
            sees="`no contact` at once, no heart rate in the record",
            recovered="with its first frame on the body",
            frames_lost=0,
        )

    run_virtual(story())
    assert "heart_rate 1: no contact" in caplog.messages


def test_bad_frames(tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with scene(tmp_path, wearing=False) as s:
            for _ in range(20):
                await s.wearer.beat()
                await s.wearer.stammer(bytes.fromhex("164852035c"))
        assert lost(s.rig, s.wearer) == 0
        assert s.rig.status().sensors[0].malformed_packets == 20
        assert all(second["heart_rate_bpm"] for second in s.rig.seconds()[:39])  # one missing is bridged
        note_fault(
            fault="every second frame malformed",
            sees="one line that says what is wrong with the first; all are counted",
            recovered="with the next good frame",
            frames_lost=0,
        )

    run_virtual(story())
    assert caplog.text.count("malformed 0x2A37") == 1


def test_a_link_that_carries_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with scene(tmp_path, wearing=False) as s:
            for _ in range(10):
                await s.wearer.beat()
            took_s = await until(lambda: "heart_rate 1: silent" in caplog.messages)
            await until(lambda: s.strap.subscribed)
            for _ in range(10):
                await s.wearer.beat()
        assert lost(s.rig, s.wearer) == 0
        assert took_s < 32
        note_fault(
            fault="strap sends nothing, link up",
            sees="`no signal` after 6 s, then `silent`",
            recovered=f"connected anew after {took_s:.0f} s of silence",
            frames_lost=0,
        )

    run_virtual(story())
    assert caplog.messages.index("heart_rate 1: no signal") < caplog.messages.index("heart_rate 1: silent")


def test_a_heart_rate_that_stands_still(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault
) -> None:
    async def story() -> None:
        async with scene(tmp_path, wearing=False) as s:
            for _ in range(110):
                await s.strap.notify(bytes([6, 155]))
                await asyncio.sleep(1)
            assert sensor_now(s.rig)[1] is SignalState.STALLED
            await s.strap.notify(bytes([6, 156]))
            await until(lambda: caplog.messages.count("heart_rate 1: live") == 2)
        note_fault(
            fault="strap repeats one value, without intervals between beats",
            sees="`stalled` after 90 s; recorded as it was sent, and another strap of the athlete counts instead",
            recovered="with its first other value",
            frames_lost=0,
        )

    run_virtual(story())
    assert "heart_rate 1: stalled" in caplog.messages


def test_a_battery_nearly_empty(tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def story() -> None:
        async with scene(tmp_path) as s:
            s.strap.battery_percent = 9
            s.strap.lose_link()
            await until(lambda: "heart_rate 1: live, battery low" in caplog.messages)
        assert lost(s.rig, s.wearer) == 0
        note_fault(
            fault="battery at 9 %",
            sees="`battery low` beside the live value",
            recovered="by a new battery",
            frames_lost=0,
        )

    run_virtual(story())


def test_the_preferred_of_two_straps_goes_away_and_comes_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault
) -> None:
    async def story() -> None:
        async with scene(tmp_path, straps=2) as s:
            await s.straps[0].go_out_of_range()
            took_s = await until(lambda: "heart_rate_bpm: from heart_rate 2" in caplog.messages)
            await s.straps[0].come_back()
            back_s = await until(lambda: caplog.messages.count("heart_rate_bpm: from heart_rate 1") == 2)
        assert took_s < 5
        assert 10 <= back_s < 13
        gaps = [second["heart_rate_bpm"] for second in s.rig.seconds()[:-4]].count(None)
        assert gaps <= 1
        note_fault(
            fault="the preferred of an athlete's two straps out of range",
            sees=f"`heart_rate_bpm: from heart_rate 2`; {gaps} s of the record without a heart rate",
            recovered=f"the other counts after {took_s:.0f} s, the preferred one again {back_s:.0f} s after it is back",
            frames_lost=0,
        )

    run_virtual(story())


def test_a_bond_that_the_strap_forgot(tmp_path: Path, caplog: pytest.LogCaptureFixture, note_fault: NoteFault) -> None:
    async def ask_passkey() -> int:
        await asyncio.sleep(0)
        return 0

    async def story() -> None:
        link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
        strap = VirtualStrap(link, security=Security())
        await strap.power_on()
        async with adapter(link, keys=tmp_path / "keys.json") as host:
            claims = Claims(tmp_path / "record")
            wanted = Wanted(name=strap.name, bond=True)
            await pair(wanted, claims, [], host=host, seconds=1, ask_passkey=ask_passkey)
            async with agent(tmp_path, "", host) as rig:
                await strap.wait_for_subscriber()
                await strap.forget_bonds()
                strap.lose_link()
                said_s = await until(lambda: "pair again" in caplog.text)
                await asyncio.sleep(60)
                assert rig.status().sensors[0].cause is Cause.BOND_LOST
                lines = len(caplog.messages)
                await asyncio.sleep(600)
                assert len(caplog.messages) == lines  # no loop
                await pair(wanted, claims, [], host=host, seconds=1, ask_passkey=ask_passkey)
                again_s = await until(lambda: strap.subscribed)
        note_fault(
            fault="strap was reset and has forgotten its bond",
            sees="`bond lost: ... pair again with edge-agent pair --bond`; no further attempt",
            recovered=f"said after {said_s:.0f} s; {again_s:.0f} s after pairing again, without a restart",
            frames_lost=0,
        )

    run_virtual(story())
