"""`edge-agent doctor`: the first thing that is wrong with the machine's Bluetooth, and what to do about it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.vm.bench import Agent, Bench, configured_agent

pytestmark = [pytest.mark.vm, pytest.mark.asyncio(loop_scope="session")]


# As `rfkill block bluetooth` and `rfkill unblock bluetooth`: the machine has no other radio.
_RFKILL = "for switch in /sys/class/rfkill/*/soft; do echo {} > $switch; done"


@pytest_asyncio.fixture(loop_scope="session")
async def agent(bench: Bench) -> AsyncIterator[Agent]:
    """An agent that does not run, and its worn strap."""
    async with configured_agent(bench) as agent:
        yield agent


async def first_failure(agent: Agent, *, user: str = "pi") -> str:
    """The last line, which is the only one that says FAIL."""
    examined = agent.command("doctor", "--seconds", "3", user=user)
    assert await examined.ended() == 1, examined.said
    *before, last = examined.out.splitlines()
    assert all(line.startswith("ok") for line in before), examined.said
    assert last.startswith("FAIL"), examined.said
    return last


async def test_all_is_well(agent: Agent) -> None:
    examined = agent.command("doctor", "--seconds", "3")
    assert await examined.ended() == 0, examined.said
    assert "first frame" in examined.out.splitlines()[-1], examined.said


async def test_a_strap_in_a_drawer(agent: Agent) -> None:
    await agent.wearer.strap.go_out_of_range()
    assert "wear it" in await first_failure(agent)


async def test_a_user_without_the_right(agent: Agent) -> None:
    await agent.bench.machine.run("chmod", "-R", "a+rX", "/home/pi")
    await agent.bench.deny("guest")
    assert "usermod -aG bluetooth" in await first_failure(agent, user="guest")


async def test_an_adapter_that_is_switched_off(agent: Agent) -> None:
    await agent.bench.power(on=False)
    try:
        assert "bluetoothctl power on" in await first_failure(agent)
    finally:
        await agent.bench.power(on=True)


async def test_an_adapter_that_rfkill_blocks(agent: Agent) -> None:
    await agent.bench.machine.run("sh", "-c", _RFKILL.format(1))
    try:
        assert "rfkill unblock bluetooth" in await first_failure(agent)
    finally:
        await agent.bench.machine.run("sh", "-c", _RFKILL.format(0))
        await agent.bench.power(on=True)


async def test_no_adapter(agent: Agent) -> None:
    await agent.bench.machine.plug(there=False)
    try:
        assert "no Bluetooth adapter" in await first_failure(agent)
    finally:
        await agent.bench.machine.plug(there=True)


async def test_no_bluetoothd(agent: Agent) -> None:
    await agent.bench.stop_bluetoothd()
    assert "bluetoothd does not run" in await first_failure(agent)
