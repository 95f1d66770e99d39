"""`edge-agent pair --bond` with the kernel's own Security Manager, and what becomes of a bond."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from edge_agent.demo.virtual_sensor import Security
from tests.vm.bench import Agent, Bench, configured_agent

pytestmark = [pytest.mark.vm, pytest.mark.asyncio(loop_scope="session")]

FRAMES = 3
PASSKEY = 123456
WRONG_PASSKEY = 654321
QUIET_S = 5.0  # without an attempt to connect


async def pair(agent: Agent, *arguments: str) -> tuple[int, str]:
    """Pair with the strap by its name; gives the exit status and what was said."""
    pairing = agent.command("pair", "--name", agent.wearer.strap.name, "--seconds", "3", *arguments)
    return await pairing.ended(), pairing.said


async def records(agent: Agent) -> None:
    """The agent records over an encrypted link."""
    await agent.listens()
    await agent.wearer.has_sent(FRAMES)
    assert not await agent.missing(agent.wearer.sent)
    assert all(connection.is_encrypted for connection in agent.wearer.strap.device.connections.values())


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def bonded(booted: Bench) -> AsyncIterator[Agent]:
    """An agent that records from a strap it has bonded with."""
    async with configured_agent(booted, listed=False, security=Security()) as agent:
        status, said = await pair(agent, "--bond")
        assert status == 0, said
        agent.start()
        yield agent


async def test_a_strap_that_asks_nothing_is_bonded(bonded: Agent) -> None:
    await records(bonded)


async def test_a_bond_outlives_the_daemon(bonded: Agent, bench: Bench) -> None:
    await bench.stop_bluetoothd()
    await bonded.is_cut_off()
    await bench.start_bluetoothd()
    await records(bonded)


async def test_a_bond_that_this_device_lost_ends_in_pair_again(bonded: Agent, bench: Bench) -> None:
    since_s = time.monotonic()
    await bench.forget(bonded.wearer.strap)
    await ends_in_pair_again(bonded, "bond lost by this device", since_s)


@pytest.mark.usefixtures("bench")
async def test_a_bond_that_the_strap_lost_ends_in_pair_again(bonded: Agent) -> None:
    since_s = time.monotonic()
    await bonded.wearer.strap.forget_bonds()
    bonded.wearer.strap.lose_link()
    await ends_in_pair_again(bonded, "bond lost by the strap", since_s)


async def ends_in_pair_again(agent: Agent, fault: str, since_s: float) -> None:
    """The log says what to do, nothing is tried over and over, and doing it is enough."""
    assert agent.program is not None
    asked = await agent.program.says("pair again", after=agent.read)
    agent.read = len(agent.program.lines)
    await asyncio.sleep(QUIET_S)
    later = [line.text for line in agent.program.lines if line.at_s > asked.at_s]
    assert not [text for text in later if "connect" in text], later
    assert not agent.wearer.strap.device.connections
    agent.wearer.take()
    status, said = await pair(agent, "--bond")
    assert status == 0, said
    await records(agent)
    sent = agent.wearer.take()
    lost = await agent.missing(sent)
    took_s = asked.at_s - since_s
    agent.bench.figures.add(f"{fault}, until it says to pair again", recovered_s=took_s, sent=len(sent), lost=len(lost))


async def test_a_passkey_is_asked_for_and_a_wrong_one_is_refused(bench: Bench) -> None:
    async with configured_agent(bench, listed=False, security=Security(passkey=PASSKEY)) as agent:
        status, said = await pair(agent, "--bond", "--passkey", f"{WRONG_PASSKEY}")
        assert status == 2, said
        assert "passkey" in said
        status, said = await pair(agent, "--bond", "--passkey", f"{PASSKEY}")
        assert status == 0, said
        agent.start()
        await records(agent)


async def test_a_strap_that_changes_its_address_needs_a_bond_and_is_known_by_its_identity(bench: Bench) -> None:
    async with configured_agent(bench, listed=False, security=Security(changes_address=True)) as agent:
        status, said = await pair(agent)
        assert status == 2, said
        assert "--bond" in said
        status, said = await pair(agent, "--bond")
        assert status == 0, said
        agent.start()
        await records(agent)
        await agent.wearer.strap.go_out_of_range()
        await agent.is_cut_off()
        shown = agent.wearer.strap.device.random_address
        await agent.wearer.strap.change_address()
        assert agent.wearer.strap.device.random_address != shown
        await agent.wearer.strap.come_back()
        await records(agent)
