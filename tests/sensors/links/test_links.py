"""The links to claimed sensors, over real GATT on a virtual radio."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from functools import partial

import pytest
from bumble.core import UUID

from edge_agent.config import Role, SensorConfig
from edge_agent.demo.strap import VirtualStrap
from edge_agent.demo.virtual_sensor import Security, VirtualSensor
from edge_agent.sensors.links import machine, radio, supervisor
from edge_agent.sensors.links.states import Cause, LinkState, SignalState
from edge_agent.sensors.profiles.readings import Quantity
from tests.demo.virtual_room import bluetooth, until, worn_in
from tests.sensors.links.conftest import Link, Linked

# Wheel revolutions 1000 and crank revolutions 200, and those one second later: 3 and 1.5 more.
CSC = ("03e80300000000c8000000", "03eb0300000004c9000004")


def heard_more_than(run: Linked, count: int) -> bool:
    return len(run.packets) > count


def strap_config(number: int) -> SensorConfig:
    return SensorConfig(Role.HEART_RATE, address=f"F0:00:00:00:00:{number:02X}")


@pytest.mark.parametrize(
    "config",
    [
        SensorConfig(Role.HEART_RATE, name="Strap 2"),
        SensorConfig(Role.HEART_RATE, address="F0:00:00:00:00:02"),
        SensorConfig(Role.HEART_RATE, address="f0:00:00:00:00:02"),
        SensorConfig(Role.HEART_RATE, address="F0:00:00:00:00:02", name="Strap 2"),
    ],
)
async def test_connects_to_the_claimed_strap_and_to_no_other(linked: Link, config: SensorConfig) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        straps = [VirtualStrap(air.link, name=f"Strap {n}", address=f"F0:00:00:00:00:{n:02X}") for n in (1, 2, 3)]
        for strap in straps:
            await worn_in(stack, strap)
        async with linked(air.host, [config]) as run:
            await straps[1].wait_for_subscriber()
            await straps[1].notify(bytes.fromhex("063c"))
            await until(lambda: run.packets)
            assert run.values() == [60]
            assert not straps[0].device.connections
            assert not straps[2].device.connections


async def test_a_sensor_that_differs_in_name_or_address_or_only_has_the_name_is_left_alone(linked: Link) -> None:
    configs = [
        SensorConfig(Role.HEART_RATE, address="F0:00:00:00:00:02", name="Strap 1"),
        SensorConfig(Role.TREADMILL, name="Strap 1"),
    ]
    async with bluetooth() as air, AsyncExitStack() as stack:
        strap = VirtualStrap(air.link, name="Strap 1", address="F0:00:00:00:00:01")
        await worn_in(stack, strap)
        async with linked(air.host, configs):
            await asyncio.sleep(0.5)
            assert not strap.device.connections


async def test_several_sensors_of_several_kinds_are_held_at_once(linked: Link) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        straps = [VirtualStrap(air.link, name=f"Strap {n}", address=f"F0:00:00:00:00:{n:02X}") for n in (1, 2)]
        cadence = VirtualSensor(
            air.link,
            name="Bike pod",
            address="F0:00:00:00:00:0C",
            service=UUID.from_16_bits(0x1816),
            stream=UUID.from_16_bits(0x2A5B),
        )
        for sensor in (*straps, cadence):
            await worn_in(stack, sensor)
        configs = [strap_config(1), strap_config(2), SensorConfig(Role.SPEED_CADENCE, address=cadence.address)]
        async with linked(air.host, configs) as run:
            for sensor in (*straps, cadence):
                await sensor.wait_for_subscriber()
            await straps[0].notify(bytes.fromhex("063c"))
            await straps[1].notify(bytes.fromhex("0678"))
            for packet in CSC:
                await cadence.notify(bytes.fromhex(packet))
            await until(lambda: run.values(Quantity.CADENCE))
            assert run.values(label="heart_rate 1") == [60]
            assert run.values(label="heart_rate 2") == [120]
            assert run.values(Quantity.CADENCE) == [60]
            assert [status.link for status in run.links.status()] == [LinkState.CONNECTED] * 3


async def test_speed_is_from_the_wheel_that_the_configuration_names(linked: Link) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        pods = [
            VirtualSensor(
                air.link,
                name=f"Pod {number}",
                address=f"F0:00:00:00:00:{number:02X}",
                service=UUID.from_16_bits(0x1816),
                stream=UUID.from_16_bits(0x2A5B),
            )
            for number in (1, 2)
        ]
        for pod in pods:
            await worn_in(stack, pod)
        sizes_mm = (None, 1340.0)
        configs = [
            SensorConfig(Role.SPEED_CADENCE, address=pod.address, wheel_circumference_mm=size_mm)
            for pod, size_mm in zip(pods, sizes_mm, strict=True)
        ]
        async with linked(air.host, configs) as run:
            for pod in pods:
                await pod.wait_for_subscriber()
                for packet in CSC:
                    await pod.notify(bytes.fromhex(packet))
            await until(lambda: len(run.values(Quantity.SPEED)) == 2)
            speeds = [run.values(Quantity.SPEED, f"speed_cadence {number}") for number in (1, 2)]
            assert speeds == [[pytest.approx(3 * 2.105)], [pytest.approx(3 * 1.34)]]


async def test_a_sensor_tells_its_battery_its_firmware_and_its_model(linked: Link) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        strap = VirtualStrap(air.link)
        strap.battery_percent = 12
        await worn_in(stack, strap)
        async with linked(air.host, [SensorConfig(Role.HEART_RATE, name=strap.name)]) as run:
            await until(lambda: run.status("heart_rate 1").firmware)
            status = run.status("heart_rate 1")
            assert (status.battery_percent, status.firmware, status.model) == (12, "1.2.3", "Virtual sensor")
            assert status.alerts == ("battery_low",)
            assert status.signal is SignalState.NO_SIGNAL


async def test_a_malformed_packet_is_dropped_and_counted_and_the_next_one_is_heard(
    linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        strap = VirtualStrap(air.link)
        await worn_in(stack, strap)
        async with linked(air.host, [SensorConfig(Role.HEART_RATE, name=strap.name)]) as run:
            await strap.wait_for_subscriber()
            for packet in ("10", "164852035c", "063d"):
                await strap.notify(bytes.fromhex(packet))
            await until(lambda: run.packets)
            assert run.values() == [61]
            assert run.status("heart_rate 1").malformed_packets == 2
            assert caplog.text.count("malformed 0x2A37") == 1


async def test_a_lost_link_is_taken_up_again_within_a_second_of_the_strap_advertising(
    linked: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "STABLE_S", 0.0)
    async with bluetooth() as air, AsyncExitStack() as stack:
        strap = VirtualStrap(air.link)
        await worn_in(stack, strap)
        async with linked(air.host, [SensorConfig(Role.HEART_RATE, name=strap.name)]) as run:
            await strap.wait_for_subscriber()
            for number in range(3):
                await strap.go_out_of_range()
                await until(lambda: not strap.subscribed)
                await asyncio.sleep(0.3)
                await strap.come_back()
                await until(lambda: strap.subscribed, timeout_s=1.0 if number else 2.0)
                await strap.notify(bytes([6, 60 + number]))
                await until(partial(heard_more_than, run, number))
            assert run.values() == [60, 61, 62]
            assert run.status("heart_rate 1").reconnects == 3


async def test_a_strap_that_goes_silent_on_a_healthy_link_is_connected_anew(
    linked: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SILENT_S", 0.3)
    async with bluetooth() as air, AsyncExitStack() as stack:
        strap = VirtualStrap(air.link)
        await worn_in(stack, strap)
        async with linked(air.host, [SensorConfig(Role.HEART_RATE, name=strap.name)]) as run:
            await strap.wait_for_subscriber()
            await until(lambda: run.status("heart_rate 1").cause is Cause.SILENT)
            await until(lambda: run.status("heart_rate 1").reconnects)


async def test_a_sensor_without_what_its_role_needs_is_said_and_left_alone(
    linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        strap = VirtualStrap(air.link)
        await worn_in(stack, strap)
        async with linked(air.host, [SensorConfig(Role.POWER, address=strap.address)]) as run:
            await until(lambda: run.link("power 1") is LinkState.NEEDS_USER)
            assert run.status("power 1").cause is Cause.WRONG_SENSOR
            assert "power 1: wrong sensor: it does not measure what its role needs" in caplog.text
            await until(lambda: not strap.device.connections)


async def test_a_watch_that_changes_its_address_is_refused_without_a_bond_and_the_remedy_is_said(
    linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        watch = VirtualStrap(air.link, name="Watch", security=Security(bond=False, changes_address=True))
        await worn_in(stack, watch)
        async with linked(air.host, [SensorConfig(Role.HEART_RATE, name="Watch")]) as run:
            await until(lambda: run.link("heart_rate 1") is LinkState.NEEDS_USER)
            assert run.status("heart_rate 1").cause is Cause.RANDOM_ADDRESS
            assert "edge-agent pair --bond" in caplog.text
            assert not watch.device.connections


async def test_a_protected_sensor_that_is_claimed_without_a_bond_is_left_alone_and_the_remedy_is_said(
    linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        strap = VirtualStrap(air.link, security=Security())
        await worn_in(stack, strap)
        async with linked(air.host, [SensorConfig(Role.HEART_RATE, address=strap.address)]) as run:
            await until(lambda: run.link("heart_rate 1") is LinkState.NEEDS_USER)
            assert run.status("heart_rate 1").cause is Cause.NOT_BONDED
            assert "it wants a bond; run `edge-agent pair --bond`" in caplog.text


async def test_a_sensor_that_is_claimed_while_the_agent_runs_is_connected_and_one_that_is_dropped_is_let_go(
    linked: Link,
) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        straps = [VirtualStrap(air.link, name=f"Strap {n}", address=f"F0:00:00:00:00:{n:02X}") for n in (1, 2)]
        for strap in straps:
            await worn_in(stack, strap)
        async with linked(air.host, []) as run:
            run.claims.write([strap_config(1)])
            await straps[0].wait_for_subscriber()
            run.claims.write([strap_config(2)])
            await straps[1].wait_for_subscriber()
            await until(lambda: not straps[0].device.connections)
            assert [status.label for status in run.links.status()] == ["heart_rate 1"]


async def test_links_end_though_a_library_keeps_their_cancellation_to_itself(
    linked: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanning = asyncio.Event()

    class Scanner:
        def __init__(self, *_: object) -> None: ...

        async def start(self) -> None:
            scanning.set()
            with suppress(asyncio.CancelledError):  # as wait_for of Python 3.11 does now and then
                await asyncio.Event().wait()

        async def stop(self) -> None: ...

    monkeypatch.setattr(radio, "BleakScanner", Scanner)
    async with bluetooth() as air, asyncio.timeout(30), linked(air.host, [strap_config(1)]):
        await scanning.wait()


async def test_the_log_does_not_say_whose_strap_it_is(linked: Link, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="edge_agent")
    async with bluetooth() as air, AsyncExitStack() as stack:
        strap = VirtualStrap(air.link, name="Strap 1")
        await worn_in(stack, strap)
        async with linked(air.host, [SensorConfig(Role.HEART_RATE, name="Strap 1", athlete="ada")]):
            await until(lambda: "heart_rate 1: connected" in caplog.text)
            strap.lose_link()
            await until(lambda: "heart_rate 1: hung up" in caplog.text)
    ours = "".join(record.getMessage() for record in caplog.records if record.name.startswith("edge_agent.sensors"))
    assert "Strap 1" not in ours
    assert "ada" not in ours
    assert strap.address not in ours
