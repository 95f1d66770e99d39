"""`edge-agent run` that ends without a goodbye: what was recorded stays, and the link it left behind is no obstacle."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.vm.bench import Agent, Bench, configured_agent
from tests.vm.machine import until

pytestmark = [pytest.mark.vm, pytest.mark.asyncio(loop_scope="session")]

FRAMES = 3
UNFINISHED = 2  # frames on their way, and in the second that is not over


@pytest_asyncio.fixture(loop_scope="session")
async def agent(bench: Bench) -> AsyncIterator[Agent]:
    """An agent that was just started."""
    async with configured_agent(bench) as agent:
        agent.start()
        yield agent


async def recovers(agent: Agent, started_s: float) -> tuple[float, list[int], list[int]]:
    """The agent listens again and records; gives how long it took, what was sent, and what of it is lost."""
    took_s = await agent.listens() - started_s
    await agent.wearer.has_sent(FRAMES)
    sent = agent.wearer.take()
    return took_s, sent, await agent.missing(sent)


async def test_while_it_records_nothing_that_was_journalled_is_lost(agent: Agent) -> None:
    await agent.listens()
    await agent.wearer.has_sent(FRAMES)
    assert not await agent.missing(agent.wearer.sent)
    await agent.kill()
    before = await agent.journalled()
    started_s = time.monotonic()
    await agent.start().says("interrupted")
    assert await agent.journalled() == before
    took_s, sent, lost = await recovers(agent, started_s)
    agent.bench.figures.add("agent killed while it records", recovered_s=took_s, sent=len(sent), lost=len(lost))
    assert (await agent.journalled())[: len(before)] == before
    # What came in a second that was not over is gone with the process; nothing else is.
    assert all(before[-1] < frame for frame in lost)
    assert len(lost) <= UNFINISHED


async def test_while_it_connects_its_strap_is_found_again(agent: Agent) -> None:
    await until(lambda: agent.wearer.strap.device.connections, "the agent has not connected")
    await agent.kill()
    assert not agent.wearer.take()
    agent.start()
    took_s, sent, lost = await recovers(agent, time.monotonic())
    agent.bench.figures.add("agent killed while it connects", recovered_s=took_s, sent=len(sent), lost=len(lost))
    assert not lost
