"""The link to the configured strap, over real GATT on a virtual radio."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bleak import BleakScanner
from bleak.exc import BleakError

from edge_agent.config import StrapConfig
from edge_agent.errors import LinkError
from edge_agent.sensors.links import heart_rate_strap
from edge_agent.sensors.links.heart_rate_strap import HeartRateStrap
from edge_agent.sensors.links.scan import scan_for_straps
from edge_agent.sensors.profiles.heart_rate import HeartRateMeasurement
from tests.demo.virtual_room import room, until


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heart_rate_strap, "RETRY_S", 0.05)
    monkeypatch.setattr(heart_rate_strap, "SCAN_S", 1.0)


@asynccontextmanager
async def linked(config: StrapConfig) -> AsyncIterator[tuple[HeartRateStrap, list[HeartRateMeasurement]]]:
    heard: list[HeartRateMeasurement] = []
    link = HeartRateStrap(config, heard.append)
    task = asyncio.create_task(link.run())
    try:
        yield link, heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "config",
    [
        StrapConfig(name="Strap 2"),
        StrapConfig(address="F0:00:00:00:00:02"),
        StrapConfig(address="f0:00:00:00:00:02"),
        StrapConfig(address="F0:00:00:00:00:02", name="Strap 2"),
    ],
)
async def test_connects_to_the_configured_strap_and_to_no_other(config: StrapConfig) -> None:
    async with room(3) as straps, linked(config) as (_, heard):
        await straps[1].wait_for_subscriber()
        await straps[1].notify(bytes.fromhex("063c"))
        await until(lambda: heard)
        assert heard == [HeartRateMeasurement(60, sensor_contact=True, energy_expended_kj=None, rr_intervals_ms=())]
        assert not straps[0].subscribed
        assert not straps[2].subscribed


async def test_a_strap_that_differs_in_name_or_address_is_left_alone() -> None:
    async with room(1) as (strap,), linked(StrapConfig(name="Strap 1", address="F0:00:00:00:00:02")):
        await asyncio.sleep(0.5)
        assert not strap.subscribed


async def test_a_malformed_packet_is_dropped_and_counted_and_the_next_one_is_heard(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with room(1) as (strap,), linked(StrapConfig(name="Strap 1")) as (link, heard):
        await strap.wait_for_subscriber()
        for packet in ("10", "164852035c", "063d"):
            await strap.notify(bytes.fromhex(packet))
        await until(lambda: heard)
        assert [m.heart_rate_bpm for m in heard] == [61]
        assert link.malformed_packets == 2
        assert caplog.text.count("malformed 0x2A37") == 1


async def test_a_lost_link_is_taken_up_again() -> None:
    async with room(1) as (strap,), linked(StrapConfig(name="Strap 1")) as (_, heard):
        await strap.wait_for_subscriber()
        await strap.go_out_of_range()
        await until(lambda: not strap.subscribed)
        await strap.come_back()
        await until(lambda: strap.subscribed)
        await strap.notify(bytes.fromhex("063e"))
        await until(lambda: heard)
        assert [m.heart_rate_bpm for m in heard] == [62]


async def test_a_strap_that_is_not_there_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with room(1) as (strap,):
        await strap.go_out_of_range()
        async with linked(StrapConfig(name="Strap 1")):
            await until(lambda: "not in range" in caplog.text)
            await strap.come_back()
            await until(lambda: strap.subscribed)


async def test_the_log_does_not_say_whose_strap_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edge_agent")
    async with room(1) as (strap,), linked(StrapConfig(name="Strap 1")):
        await until(lambda: "strap: connected" in caplog.text)
        strap.lose_link()
        await until(lambda: "link lost" in caplog.text)
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("edge_agent.sensors"))
    assert "Strap 1" not in ours
    assert strap.address not in ours


@pytest.mark.parametrize("address", ["F0:00:00:00:00:01", "/org/bluez/hci0/dev_F0_00_00_00_00_01"])
async def test_nor_do_the_errors_of_bluetooth_in_the_log(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        msg = f"device {address} failed"
        raise BleakError(msg)

    monkeypatch.setattr(BleakScanner, "find_device_by_filter", broken)
    async with linked(StrapConfig(name="Strap 1")):
        await until(lambda: "failed" in caplog.text)
    assert "F0" not in caplog.text


async def test_without_bluetooth_the_remedy_is_said_and_the_agent_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    async with linked(StrapConfig(name="Strap 1")):
        await until(lambda: caplog.text.count("see `systemctl status bluetooth`") >= 2)
    with pytest.raises(LinkError, match="see `systemctl status bluetooth`"):
        await scan_for_straps(0.1)


async def test_a_scan_lists_what_can_be_configured() -> None:
    async with room(2):
        found = await scan_for_straps(0.5)
    assert {(strap.name, strap.address) for strap in found} == {
        ("Strap 1", "F0:00:00:00:00:01"),
        ("Strap 2", "F0:00:00:00:00:02"),
    }
