"""`edge-agent pair --bond` with the kernel's own Security Manager, and what becomes of a bond."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from edge_agent.demo.strap import VirtualStrap
from edge_agent.demo.virtual_sensor import Security
from tests.vm.bench import Agent, Bench, until
from tests.vm.wearer import worn

pytestmark = [pytest.mark.vm, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

FRAMES = 4
PASSKEY = 123456

_numbers = itertools.count(1)


@asynccontextmanager
async def unclaimed(bench: Bench, security: Security) -> AsyncIterator[Agent]:
    """A strap that nobody has claimed, and an agent that is configured without one."""
    number = next(_numbers)
    strap = VirtualStrap(
        bench.machine.link, name=f"Bond {number}", address=f"F0:48:4C:00:02:{number:02X}", security=security
    )
    await strap.power_on()
    async with worn(strap) as wearer:
        agent = await Agent.configured(bench, wearer, f"/home/pi/bond-{number}", listed=False)
        try:
            yield agent
        finally:
            await agent.kill()
            strap.power_off()


async def pair(agent: Agent, *arguments: str) -> tuple[int, str]:
    """Pair with the strap by its name; gives the exit status and what was said."""
    pairing = agent.command("pair", "--name", agent.wearer.strap.name, "--seconds", "3", *arguments)
    status = await pairing.ended()
    return status, " ".join(line.text for line in pairing.lines)


async def streaming(agent: Agent) -> None:
    """The agent records over an encrypted link."""
    await agent.listens()
    await agent.wearer.has_sent(FRAMES)
    await agent.has_journalled_all()
    assert all(connection.is_encrypted for connection in agent.wearer.strap.device.connections.values())


async def test_a_strap_that_asks_nothing_is_bonded_and_the_bond_outlives_the_daemon(bench: Bench) -> None:
    async with unclaimed(bench, Security()) as agent:
        status, said = await pair(agent, "--bond")
        assert status == 0, said
        agent.start()
        await streaming(agent)
        await bench.stop_bluetoothd()
        await agent.is_cut_off()
        await bench.start_bluetoothd()
        started_s = time.monotonic()
        await streaming(agent)
        bench.figures.add(
            "bluetoothd restarted, strap bonded",
            recovered_s=(await agent.listens()) - started_s,
            sent=len(agent.wearer.sent),
            lost=len(agent.wearer.lost(await agent.journalled())),
        )


async def test_a_passkey_is_asked_for_and_a_wrong_one_is_refused(bench: Bench) -> None:
    async with unclaimed(bench, Security(passkey=PASSKEY)) as agent:
        status, said = await pair(agent, "--bond", "--passkey", "000001")
        assert status == 2, said
        assert "passkey" in said
        status, said = await pair(agent, "--bond", "--passkey", f"{PASSKEY}")
        assert status == 0, said
        agent.start()
        await streaming(agent)


async def test_a_bond_that_the_strap_lost_ends_in_pair_again(bench: Bench) -> None:
    async with unclaimed(bench, Security()) as agent:
        await pair(agent, "--bond")
        agent.start()
        await streaming(agent)
        await agent.wearer.strap.forget_bonds()
        agent.wearer.strap.lose_link()
        await says_pair_again_once(agent)
        await paired_anew(agent)


async def test_a_bond_that_this_device_lost_ends_in_pair_again(bench: Bench) -> None:
    async with unclaimed(bench, Security()) as agent:
        await pair(agent, "--bond")
        agent.start()
        await streaming(agent)
        await bench.forget(agent.wearer.strap)
        await says_pair_again_once(agent)
        await paired_anew(agent)


async def says_pair_again_once(agent: Agent) -> None:
    """The log says what to do, and nothing is tried over and over."""
    assert agent.program is not None
    await agent.program.says("pair again")
    said = len(agent.program.lines)
    await asyncio.sleep(8)
    assert len(agent.program.lines) - said <= 2, agent.program.lines[said:]
    await until(lambda: not agent.wearer.strap.device.connections, "the link is still up")


async def paired_anew(agent: Agent) -> None:
    """Pairing again is all there is to do."""
    status, said = await pair(agent, "--bond")
    assert status == 0, said
    await streaming(agent)


async def test_a_strap_that_changes_its_address_needs_a_bond_and_is_known_by_its_identity(bench: Bench) -> None:
    async with unclaimed(bench, Security(changes_address=True, address_s=20)) as agent:
        status, said = await pair(agent)
        assert status == 2, said
        assert "--bond" in said
        status, said = await pair(agent, "--bond")
        assert status == 0, said
        agent.start()
        await streaming(agent)
        await agent.wearer.strap.go_out_of_range()
        await agent.is_cut_off()
        shown = agent.wearer.strap.device.random_address
        await until(lambda: agent.wearer.strap.device.random_address != shown, "the address has not changed")
        await agent.wearer.strap.come_back()
        await streaming(agent)
