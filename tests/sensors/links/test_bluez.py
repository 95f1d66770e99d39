"""The links on bleak's BlueZ backend, and the faults of a host that a real one does not produce on demand."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType

import pytest
from dbus_fast import MessageType

from edge_agent.config import Role, SensorConfig
from edge_agent.errors import LinkError
from edge_agent.sensors.links import bluez, radio, recovery, supervisor
from edge_agent.sensors.links.bluez import BlueZHost
from edge_agent.sensors.links.claims import Claims
from edge_agent.sensors.links.machine import BOND_FAILURES
from edge_agent.sensors.links.pairing import Wanted, pair
from edge_agent.sensors.links.scan import scan
from edge_agent.sensors.links.sensor import BREAKS
from edge_agent.sensors.links.states import REMEDIES, AdapterFault, Cause, LinkState
from tests.demo.virtual_room import until
from tests.fake_bluez import FakeBlueZ, fake_bluez, private_bus
from tests.sensors.links.conftest import Link

NAME, ADDRESS = "HR Strap 1", "F0:00:00:00:00:01"
STRAP = SensorConfig(Role.HEART_RATE, address=ADDRESS)
IN_PROGRESS = ("org.bluez.Error.InProgress", "Operation already in progress")


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A message bus of the test's own, as the system's."""
    with private_bus(tmp_path) as address:
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address


@pytest.fixture
def host(tmp_path: Path) -> BlueZHost:
    (tmp_path / "sys" / "class" / "bluetooth").mkdir(parents=True)
    return BlueZHost(sysfs=tmp_path / "sys")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Phases of the scan and rungs of the ladder in a fraction of their time."""
    monkeypatch.setattr(radio, "FILTERED_S", 0.4)
    monkeypatch.setattr(radio, "OPEN_S", 0.2)
    monkeypatch.setattr(recovery, "STEP_S", 0.1)
    monkeypatch.setattr(bluez, "POWER_OFF_S", 0.05)


@asynccontextmanager
async def strap_on(bus: str) -> AsyncIterator[FakeBlueZ]:
    async with fake_bluez(bus, name=NAME, address=ADDRESS) as daemon:
        yield daemon


async def beat(daemon: FakeBlueZ, bpm: int) -> None:
    await asyncio.wait_for(daemon.strap.wait_for_subscriber(), 5)
    await daemon.strap.notify(bytes([6, bpm]))


async def test_a_strap_is_found_held_and_taken_up_again(bus: str, host: BlueZHost, linked: Link) -> None:
    async with strap_on(bus) as daemon, linked(host, [STRAP]) as run:
        await beat(daemon, 60)
        await until(lambda: run.values() == [60])
        daemon.strap.lose_link()
        await beat(daemon, 61)
        await until(lambda: run.values() == [60, 61])
        assert run.status("heart_rate 1").reconnects == 1


async def test_a_link_that_a_killed_agent_left_open_is_closed_so_that_the_strap_advertises_again(
    bus: str, host: BlueZHost, linked: Link
) -> None:
    async with strap_on(bus) as daemon:
        daemon.strap.connect_to_nobody()
        async with linked(host, [STRAP]) as run:
            await beat(daemon, 60)
            await until(lambda: run.values() == [60])
            assert daemon.calls.index("Disconnect") < daemon.calls.index("Connect")


@pytest.mark.parametrize("switch_type", ["bluetooth", "wlan"])
async def test_each_fault_of_the_host_is_told_from_the_others(
    bus: str, host: BlueZHost, tmp_path: Path, switch_type: str
) -> None:
    assert await host.fault() is AdapterFault.NO_BLUEZ
    async with strap_on(bus) as daemon:
        assert await host.fault() is None
        daemon.switch(powered=False)
        assert await host.fault() is AdapterFault.POWERED_OFF
        rfkill = tmp_path / "sys" / "class" / "rfkill" / "rfkill0"
        rfkill.mkdir(parents=True)
        for name, value in (("type", switch_type), ("soft", "1"), ("hard", "0")):
            (rfkill / name).write_text(f"{value}\n")
        blocked = AdapterFault.BLOCKED if switch_type == "bluetooth" else AdapterFault.POWERED_OFF
        assert await host.fault() is blocked
        (rfkill / "soft").write_text("0\n")
        daemon.unplug()
        assert await host.fault() is AdapterFault.NO_ADAPTER
        (tmp_path / "sys" / "class" / "bluetooth").rmdir()
        assert await host.fault() is AdapterFault.NO_KERNEL
        daemon.refuses["GetManagedObjects"] = ("org.freedesktop.DBus.Error.AccessDenied", "not for you")
        (tmp_path / "sys" / "class" / "bluetooth").mkdir()
        assert await host.fault() is AdapterFault.DENIED


async def test_a_bus_that_is_not_there_is_told(
    host: BlueZHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    assert await host.fault() is AdapterFault.NO_DBUS
    with pytest.raises(LinkError, match="D-Bus is not reachable"):
        await scan(0.1, host)
    # None of these needs a host that is there.
    await host.release({ADDRESS})
    await host.remove(ADDRESS)
    await host.power_cycle()
    assert await host.bonded() == set()
    assert await host.reset() is False


async def test_without_bluetooth_the_remedy_is_said_once_and_the_links_come_up_when_it_comes(
    bus: str, host: BlueZHost, linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with linked(host, [STRAP]) as run:
        await until(lambda: run.links.adapter_fault is AdapterFault.NO_BLUEZ)
        await asyncio.sleep(0.3)
        assert caplog.text.count(REMEDIES[AdapterFault.NO_BLUEZ]) == 1
        async with strap_on(bus) as daemon:
            await beat(daemon, 60)
            await until(lambda: run.values() == [60])
            assert run.links.adapter_fault is None


async def test_an_adapter_that_is_switched_off_is_said_and_its_straps_come_back_with_it(
    bus: str, host: BlueZHost, linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with strap_on(bus) as daemon, linked(host, [STRAP]) as run:
        await beat(daemon, 60)
        daemon.switch(powered=False)
        daemon.refuses["StartDiscovery"] = ("org.bluez.Error.NotReady", "Resource Not Ready")
        await until(lambda: run.links.adapter_fault is AdapterFault.POWERED_OFF)
        assert REMEDIES[AdapterFault.POWERED_OFF] in caplog.text
        daemon.refuses.clear()
        daemon.switch(powered=True)
        await beat(daemon, 61)
        await until(lambda: run.values() == [60, 61])


async def test_a_daemon_that_is_restarted_costs_the_link_and_no_restart_of_the_agent(
    bus: str, host: BlueZHost, linked: Link
) -> None:
    async with linked(host, [STRAP]) as run:
        async with strap_on(bus) as daemon:
            await beat(daemon, 60)
            await until(lambda: run.values() == [60])
            daemon.strap.lose_link()  # what bleak hears of a daemon that ends in good order
        async with strap_on(bus) as daemon:
            await beat(daemon, 61)
            await until(lambda: run.values() == [60, 61], timeout_s=10)


async def test_a_daemon_that_was_killed_says_nothing_and_is_noticed_by_the_silence(
    bus: str, host: BlueZHost, linked: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SILENT_S", 0.5)
    async with linked(host, [STRAP]) as run:
        async with strap_on(bus) as daemon:
            await beat(daemon, 60)
            await until(lambda: run.values() == [60])
        async with strap_on(bus) as daemon:
            await beat(daemon, 61)
            await until(lambda: run.values() == [60, 61], timeout_s=10)


@pytest.mark.usefixtures("hurried")
async def test_a_scan_that_is_refused_as_in_progress_is_mended_by_switching_the_adapter_off_and_on(
    bus: str, host: BlueZHost, linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with strap_on(bus) as daemon:
        daemon.refuses["StartDiscovery"] = IN_PROGRESS
        async with linked(host, [STRAP]) as run:
            await beat(daemon, 60)
            await until(lambda: run.values() == [60])
    rungs = [line.rpartition("next: ")[2] for line in caplog.messages if "next: " in line]
    assert rungs == ["restart scan", "remove stale", "power cycle"]


@pytest.mark.usefixtures("hurried")
async def test_a_scan_that_died_without_a_word_is_noticed_and_mended(
    bus: str, host: BlueZHost, linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with strap_on(bus) as daemon:
        daemon.deaf = True
        async with linked(host, [STRAP]) as run:
            await asyncio.wait_for(daemon.strap.wait_for_subscriber(), 10)
            await beat(daemon, 60)
            await until(lambda: run.values() == [60])
    assert "it hears nothing; next: power cycle" in caplog.text


def test_a_dead_scan_is_noticed_within_90_s() -> None:
    assert radio.FILTERED_S + radio.OPEN_S + radio.FAULT_PAUSE_S < 90


@pytest.mark.usefixtures("hurried")
async def test_an_adapter_that_nothing_helps_ends_in_words_for_its_user(
    bus: str, host: BlueZHost, linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with strap_on(bus) as daemon:
        daemon.refuses["StartDiscovery"] = IN_PROGRESS
        daemon.refuses["Set"] = ("org.bluez.Error.Failed", "no")
        async with linked(host, [STRAP]) as run:
            await until(lambda: run.links.adapter_fault is AdapterFault.STUCK, timeout_s=10)
    assert caplog.text.count(REMEDIES[AdapterFault.STUCK]) == 1


async def test_the_hardware_is_reset_by_the_library_that_its_user_installed(
    bus: str, host: BlueZHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, str]] = []

    async def recover_adapter(hci: int, mac: str) -> bool:
        await asyncio.sleep(0)
        asked.append((hci, mac))
        return True

    async with strap_on(bus):
        assert await host.reset() is False  # it is not installed here
        library = ModuleType("bluetooth_auto_recovery")
        library.recover_adapter = recover_adapter  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "bluetooth_auto_recovery", library)
        assert await host.reset() is True
    assert asked == [(0, "C0:00:00:00:00:01")]


async def test_a_connection_that_finds_the_adapter_busy_is_tried_again(
    bus: str, host: BlueZHost, linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with strap_on(bus) as daemon:
        daemon.refuses["Connect"] = IN_PROGRESS
        async with linked(host, [STRAP]) as run:
            await until(lambda: "adapter busy" in caplog.text)
            daemon.refuses.clear()
            await beat(daemon, 60)
            await until(lambda: run.values() == [60])


async def test_links_that_all_break_as_soon_as_they_are_up_mean_a_lost_bond(
    bus: str, host: BlueZHost, linked: Link
) -> None:
    async with strap_on(bus) as daemon:
        daemon.strap.bond()
        daemon.breaks = True
        async with linked(host, [SensorConfig(Role.HEART_RATE, ADDRESS, bonded=True)]) as run:
            await until(lambda: run.status("heart_rate 1").cause is Cause.BOND_LOST, timeout_s=10)
            assert run.link("heart_rate 1") is LinkState.NEEDS_USER
            assert daemon.calls.count("Connect") == BREAKS * BOND_FAILURES


async def test_without_a_bond_such_links_leave_the_adapter_to_others_and_are_tried_again(
    bus: str, host: BlueZHost, linked: Link
) -> None:
    async with strap_on(bus) as daemon:
        daemon.breaks = True
        async with linked(host, [STRAP]) as run:
            await until(lambda: run.status("heart_rate 1").cause is Cause.HUNG_UP)
            daemon.breaks = False
            await beat(daemon, 60)
            await until(lambda: run.values() == [60])


@pytest.mark.parametrize("passkey", [None, 271828], ids=["just works", "passkey"])
async def test_pairing_goes_through_an_agent_of_our_own(
    bus: str, host: BlueZHost, tmp_path: Path, passkey: int | None
) -> None:
    async def ask_passkey() -> int:
        await asyncio.sleep(0)
        return 271828

    async with strap_on(bus) as daemon:
        daemon.passkey = passkey
        claim = await pair(
            Wanted(name=NAME, bond=True), Claims(tmp_path), [], host=host, seconds=0.5, ask_passkey=ask_passkey
        )
        assert claim == SensorConfig(Role.HEART_RATE, ADDRESS, bonded=True)
        assert await host.bonded() == {ADDRESS}
        assert daemon.calls[-1] != "Pair"
        assert "UnregisterAgent" in daemon.calls
        await host.remove(ADDRESS)
        assert await host.bonded() == set()


async def test_a_wrong_passkey_and_one_that_nobody_gives_are_told_apart(
    bus: str, host: BlueZHost, tmp_path: Path
) -> None:
    async def wrong() -> int:
        await asyncio.sleep(0)
        return 1

    async def nobody() -> int:
        await asyncio.sleep(0)
        msg = "add --passkey"
        raise LinkError(msg)

    wanted = Wanted(name=NAME, bond=True)
    async with strap_on(bus) as daemon:
        daemon.passkey = 271828
        with pytest.raises(LinkError, match="the passkey was wrong"):
            await pair(wanted, Claims(tmp_path), [], host=host, seconds=0.5, ask_passkey=wrong)
        with pytest.raises(LinkError, match=r"^add --passkey$"):
            await pair(wanted, Claims(tmp_path), [], host=host, seconds=0.5, ask_passkey=nobody)
    assert Claims(tmp_path).read() == ()


async def test_the_agent_answers_for_no_other_sensor_than_the_one_that_is_paired(bus: str, host: BlueZHost) -> None:
    async def ask_passkey() -> int:
        await asyncio.sleep(0)
        return 1

    other = "/org/bluez/hci0/dev_F0_00_00_00_00_02"
    async with strap_on(bus) as daemon, host.pairing(ADDRESS, ask_passkey):
        for member in ("RequestPasskey", "RequestAuthorization"):
            answer = await daemon.ask_agent(member, "o", other)
            assert answer.message_type is MessageType.ERROR


async def test_a_daemon_that_takes_no_agent_is_said(bus: str, host: BlueZHost) -> None:
    async def ask_passkey() -> int:
        await asyncio.sleep(0)
        return 1

    async with strap_on(bus) as daemon:
        daemon.refuses["RegisterAgent"] = ("org.bluez.Error.AlreadyExists", "Already Exists")
        with pytest.raises(LinkError, match="bluetoothd takes no pairing agent"):
            async with host.pairing(ADDRESS, ask_passkey):
                pass


async def test_a_bonded_strap_whose_key_this_device_lost_is_not_tried(bus: str, host: BlueZHost, linked: Link) -> None:
    bonded = SensorConfig(Role.HEART_RATE, address=ADDRESS, bonded=True)
    async with strap_on(bus) as daemon, linked(host, [bonded]) as run:
        await until(lambda: run.link("heart_rate 1") is LinkState.NEEDS_USER)
        assert "Connect" not in daemon.calls
