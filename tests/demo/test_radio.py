from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from bleak import BleakClient
from bumble.hci import Address

from edge_agent.agent.clock import SystemClock
from edge_agent.demo.agent_process import hci_device
from edge_agent.demo.bleak_bumble import install
from edge_agent.demo.child import agent_process
from edge_agent.demo.radio import virtual_radio
from edge_agent.demo.report import closed_sessions
from edge_agent.demo.simulation import StrapSecond
from edge_agent.demo.strap import VirtualStrap
from edge_agent.errors import LinkError
from tests.demo.virtual_room import until

SPEED = 20.0


async def test_a_host_that_is_cut_off_loses_its_link_and_the_next_one_starts_afresh() -> None:
    async with virtual_radio() as radio:
        strap = VirtualStrap(radio.link)
        await strap.power_on()
        async with hci_device(radio.transport) as (first, _):
            connection = await first.connect(Address(strap.address), timeout=3)
            assert connection.peer_address.to_string(with_type_qualifier=False) == strap.address
            assert strap.device.connections
        await until(lambda: not strap.device.connections)

        async with hci_device(radio.transport) as (second, _):
            with install(second):
                async with BleakClient(strap.address, timeout=3) as client:
                    assert client.is_connected
        strap.power_off()
        await until(lambda: not radio.link.controllers)


async def test_two_hosts_at_once_have_a_controller_each() -> None:
    async with virtual_radio() as radio:
        straps = [VirtualStrap(radio.link, address=f"F0:00:00:00:00:0{i}") for i in (1, 2)]
        async with hci_device(radio.transport) as (first, _), hci_device(radio.transport) as (second, _):
            for strap, device in zip(straps, (first, second), strict=True):
                await strap.power_on()
                await device.connect(Address(strap.address), timeout=3)
            assert [len(strap.device.connections) for strap in straps] == [1, 1]
        for strap in straps:
            strap.power_off()


async def test_a_missing_controller_is_named() -> None:
    async with virtual_radio() as radio:
        transport = radio.transport
    with pytest.raises(LinkError, match=transport):
        async with hci_device(transport):
            pass


async def test_the_host_learns_that_its_controller_went_away() -> None:
    async with virtual_radio() as radio:
        device = hci_device(radio.transport)
        _, gone = await device.__aenter__()
        assert not gone.done()
    await asyncio.wait_for(gone, 3)
    await device.__aexit__(None, None, None)


def write_config(directory: Path, strap: VirtualStrap) -> Path:
    path = directory / "agent.toml"
    path.write_text(f'[strap]\naddress = "{strap.address}"\n[store]\ndirectory = "store"\n')
    return path


async def test_an_agent_killed_in_mid_session_is_replaced_by_another_and_the_strap_takes_it(tmp_path: Path) -> None:
    async with virtual_radio() as radio:
        strap = VirtualStrap(radio.link)
        await strap.power_on()
        config, log = write_config(tmp_path, strap), tmp_path / "log"
        clock = SystemClock(SPEED)
        playing = asyncio.create_task(strap.play([StrapSecond(100, (614,))] * 100_000, clock=clock))
        for life in (1, 2):
            async with agent_process(transport=radio.transport, config=config, speed=SPEED, log=log) as agent:
                await until(lambda: strap.subscribed, timeout_s=30)
                await clock.sleep(30)
                if life == 1:
                    agent.kill()
                    await until(lambda: not strap.subscribed)
                else:
                    await agent.stop()
        playing.cancel()
        strap.power_off()

    sessions, _ = closed_sessions(tmp_path / "store")
    assert len(sessions) == 2
    assert min(len(session.seconds) for session in sessions) > 20


async def test_an_agent_whose_radio_goes_away_ends_in_good_order(tmp_path: Path) -> None:
    async with virtual_radio() as radio:
        strap = VirtualStrap(radio.link)
        await strap.power_on()
        config = write_config(tmp_path, strap)
        agent = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent.demo.agent_process", "--hci", radio.transport, "--config", str(config),
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        await asyncio.wait_for(strap.wait_for_subscriber(), 30)
        strap.power_off()
    _, log = await asyncio.wait_for(agent.communicate(), 30)
    assert agent.returncode == 2
    assert b"went away" in log.splitlines()[-1]
