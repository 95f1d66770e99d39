"""`edge-agent run` on a real kernel, bluetoothd and bus: what becomes of its link, and of the record, in every fault.

The strap sends a frame a second, each with a beat-to-beat interval that no other has: what is not in the journal was
lost on the way. One agent lives through all faults that it survives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio

from tests.vm.bench import Agent, Bench, configured_agent

pytestmark = [pytest.mark.vm, pytest.mark.asyncio(loop_scope="session")]

FRAMES = 3  # after a fault


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def survivor(booted: Bench) -> AsyncIterator[Agent]:
    """An agent that is never restarted."""
    async with configured_agent(booted) as agent:
        agent.start()
        yield agent


@pytest_asyncio.fixture(loop_scope="session")
async def recording(survivor: Agent, bench: Bench) -> Agent:  # noqa: ARG001 - `bench`: Bluetooth works
    """The one that is never restarted, while it records."""
    await survivor.listens()
    return survivor


async def recovers(agent: Agent, fault: str, since_s: float) -> None:
    """The agent listens again, goes on recording, and has lost nothing; note how long it took."""
    took_s = await agent.listens() - since_s
    await agent.wearer.has_sent(FRAMES)
    sent = agent.wearer.take()
    lost = await agent.missing(sent)
    agent.bench.figures.add(fault, recovered_s=took_s, sent=len(sent), lost=len(lost))
    assert not lost


@asynccontextmanager
async def between_frames(agent: Agent) -> AsyncIterator[None]:
    """Cut the link while no frame is on its way: one that is sent to a host that is gone is lost with any agent."""
    agent.wearer.resting = True
    assert not await agent.missing(agent.wearer.sent)
    yield
    await agent.is_cut_off()
    agent.wearer.resting = False


async def test_every_frame_of_a_strap_is_journalled(survivor: Agent) -> None:
    await recovers(survivor, "none: start of the process", time.monotonic())


async def test_a_strap_that_was_out_of_range_is_found_again(recording: Agent) -> None:
    await recording.wearer.strap.go_out_of_range()
    await recording.is_cut_off()
    await asyncio.sleep(5)
    await recording.wearer.strap.come_back()
    await recovers(recording, "strap out of range for 5 s", time.monotonic())


async def test_a_link_that_breaks_for_a_moment_is_made_again(recording: Agent) -> None:
    recording.wearer.strap.lose_link()
    lost_s = time.monotonic()
    await recording.is_cut_off()
    await recovers(recording, "link lost, strap advertises at once", lost_s)


async def test_an_adapter_that_was_switched_off_is_used_again(recording: Agent, bench: Bench) -> None:
    async with between_frames(recording):
        await bench.power(on=False)
    await asyncio.sleep(3)
    await bench.power(on=True)
    await recovers(recording, "adapter powered off for 3 s", time.monotonic())


async def test_bluetoothd_may_be_restarted(recording: Agent, bench: Bench) -> None:
    async with between_frames(recording):
        await bench.stop_bluetoothd()
    await bench.start_bluetoothd()
    await recovers(recording, "bluetoothd restarted", time.monotonic())


async def test_an_adapter_that_was_pulled_out_is_used_again(recording: Agent, bench: Bench) -> None:
    async with between_frames(recording):
        await bench.machine.plug(there=False)
        # A controller that has lost its power is heard no more: the strap notices by its supervision timeout.
        recording.wearer.strap.lose_link()
    await asyncio.sleep(3)
    await bench.machine.plug(there=True)
    await recovers(recording, "adapter pulled out for 3 s", time.monotonic())


async def test_after_all_of_that_the_agent_stops_in_good_order(survivor: Agent) -> None:
    survivor.wearer.resting = True  # a second that is not over when the agent is stopped is not recorded
    assert not await survivor.missing(survivor.wearer.take())
    assert await survivor.stop() == 0
