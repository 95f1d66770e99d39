from __future__ import annotations

import asyncio

import bleak
import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error, ErrorCode
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service

from edge_agent.demo.strap import VirtualStrap
from tests.demo.virtual_room import room, until


def uuid(assigned_number: str) -> str:
    return f"0000{assigned_number}-0000-1000-8000-00805f9b34fb"


HEART_RATE = uuid("180d")
MEASUREMENT = uuid("2a37")
BODY_SENSOR_LOCATION = uuid("2a38")
BATTERY = uuid("180f")
BATTERY_LEVEL = uuid("2a19")
DEVICE_INFORMATION = uuid("180a")
MANUFACTURER = uuid("2a29")


async def test_discovers_the_straps_by_service_with_their_names() -> None:
    async with room(straps=3):
        found = await BleakScanner.discover(timeout=0.3, return_adv=True, service_uuids=[HEART_RATE])

        assert {device.address: advertised.local_name for device, advertised in found.values()} == {
            "F0:00:00:00:00:01": "Strap 1",
            "F0:00:00:00:00:02": "Strap 2",
            "F0:00:00:00:00:03": "Strap 3",
        }
        assert all(advertised.service_uuids == [HEART_RATE] for _, advertised in found.values())


async def test_finds_nothing_when_asked_for_another_service() -> None:
    async with room():
        assert await BleakScanner.discover(timeout=0.3, service_uuids=[BATTERY]) == []


async def test_two_scanners_at_once_both_hear() -> None:
    async with room():
        long = asyncio.create_task(BleakScanner.discover(timeout=0.5))
        await BleakScanner.find_device_by_name("Strap 1", timeout=3)

        assert [device.name for device in await long] == ["Strap 1"]


async def test_lists_the_services_and_reads_battery_and_device_information() -> None:
    async with room(), BleakClient("F0:00:00:00:00:01", timeout=3) as client:
        assert {HEART_RATE, BATTERY, DEVICE_INFORMATION} <= {service.uuid for service in client.services}
        measurement = client.services.get_characteristic(MEASUREMENT)
        assert measurement is not None
        assert measurement.properties == ["notify"]
        assert client.name == "Strap 1"
        assert client.mtu_size > 23
        assert measurement.max_write_without_response_size == client.mtu_size - 3
        assert await client.read_gatt_char(BATTERY_LEVEL) == bytes([87])
        assert await client.read_gatt_char(BODY_SENSOR_LOCATION) == bytes([1])  # chest
        assert await client.read_gatt_char(MANUFACTURER) == b"Heartline"


async def test_offers_only_the_services_that_were_asked_for() -> None:
    async with room(), BleakClient("F0:00:00:00:00:01", services=[BATTERY], timeout=3) as client:
        assert [service.uuid for service in client.services] == [BATTERY]


async def test_notifies_until_told_to_stop() -> None:
    async with room() as (strap,), BleakClient("F0:00:00:00:00:01", timeout=3) as client:
        received: list[tuple[str, bytes]] = []
        await client.start_notify(MEASUREMENT, lambda sender, data: received.append((sender.uuid, bytes(data))))
        assert strap.subscribed
        await strap.notify(b"\x14\x3c\x00\x04")
        await until(lambda: received)
        with pytest.raises(BleakError, match="already started"):
            await client.start_notify(MEASUREMENT, lambda *_: None)
        await client.stop_notify(MEASUREMENT)
        assert not strap.subscribed
        await strap.notify(b"\x14\x3d\x00\x04")
        await client.read_gatt_char(BATTERY_LEVEL)  # what was sent before has arrived now

        assert received == [(MEASUREMENT, b"\x14\x3c\x00\x04")]


async def test_a_lost_link_calls_back_and_the_strap_can_be_connected_again() -> None:
    async with room() as (strap,):
        lost: list[BleakClient] = []
        client = BleakClient("F0:00:00:00:00:01", disconnected_callback=lost.append, timeout=3)
        await client.connect()
        with pytest.raises(BleakError, match="already connected"):
            await client.connect()
        strap.lose_link()
        await until(lambda: lost)
        assert lost == [client]
        assert not client.is_connected
        assert not strap.subscribed
        with pytest.raises(BleakError):
            await client.read_gatt_char(BATTERY_LEVEL)

        await client.connect()
        received: list[bytes] = []
        await client.start_notify(MEASUREMENT, lambda _, data: received.append(bytes(data)))
        await strap.notify(b"\x00\x48")
        await until(lambda: received)
        assert received == [b"\x00\x48"]
        await client.disconnect()
        assert not client.is_connected


async def test_a_read_ends_when_the_link_is_lost() -> None:
    async with room() as (strap,), BleakClient("F0:00:00:00:00:01", timeout=3) as client:
        reading = asyncio.create_task(client.read_gatt_char(BATTERY_LEVEL))
        await asyncio.sleep(0)
        strap.lose_link()
        with pytest.raises(BleakError, match="Not connected"):
            await asyncio.wait_for(reading, 3)


async def test_a_cancelled_read_is_cancelled() -> None:
    async with room() as (strap,), BleakClient("F0:00:00:00:00:01", timeout=3) as client:
        reading = asyncio.create_task(client.read_gatt_char(BATTERY_LEVEL))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert strap.name == "Strap 1"


async def test_connecting_to_a_strap_out_of_range_times_out_and_works_when_it_is_back() -> None:
    async with room() as (strap,):
        device = await BleakScanner.find_device_by_name("Strap 1", timeout=3)
        assert device is not None
        await strap.go_out_of_range()
        with pytest.raises(TimeoutError):
            await BleakClient(device, timeout=0.3).connect()

        await strap.come_back()
        async with BleakClient(device, timeout=3) as client:
            assert client.is_connected


async def test_a_cancelled_attempt_leaves_the_controller_free_for_the_next() -> None:
    async with room() as (strap,):
        device = await BleakScanner.find_device_by_name("Strap 1", timeout=3)
        assert device is not None
        await strap.go_out_of_range()
        attempt = asyncio.create_task(BleakClient(device, timeout=60).connect())
        await asyncio.sleep(0.1)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt

        await strap.come_back()
        async with BleakClient(device, timeout=3) as client:
            assert client.is_connected


async def test_an_unknown_address_is_not_found() -> None:
    async with room():
        with pytest.raises(BleakDeviceNotFoundError):
            await BleakClient("F0:00:00:00:00:99", timeout=0.3).connect()


async def test_several_straps_at_once() -> None:
    async with room(straps=4) as straps:
        clients = [BleakClient(strap.address, timeout=5) for strap in straps]
        await asyncio.gather(*(client.connect() for client in clients))
        received: dict[str, list[int]] = {}
        for client in clients:
            values = received.setdefault(client.address, [])
            await client.start_notify(MEASUREMENT, lambda _, data, to=values: to.append(data[1]))  # type: ignore[misc]
        for beat in range(20):
            for i, strap in enumerate(straps):
                await strap.notify(bytes([0, 60 + 30 * i + beat]))
        await until(lambda: all(len(values) == 20 for values in received.values()))

        assert list(received.values()) == [[60 + 30 * i + beat for beat in range(20)] for i in range(4)]
        for client in clients:
            await client.disconnect()


async def test_writes_arrive_and_protocol_errors_come_back_as_bleak_raises_them() -> None:
    written: list[bytes] = []

    def refuse(_: object) -> bytes:
        raise ATT_Error(ErrorCode.READ_NOT_PERMITTED)

    def add_notebook(strap: VirtualStrap) -> None:
        notebook: Characteristic[bytes] = Characteristic(
            uuid("2a39"),
            Characteristic.Properties.READ | Characteristic.Properties.WRITE,
            Characteristic.WRITEABLE,
            CharacteristicValue(read=refuse, write=lambda _, value: written.append(value)),
            [Descriptor(uuid("2901"), Characteristic.READABLE | Characteristic.WRITEABLE, b"notes")],
        )
        strap.device.add_service(Service(uuid("181c"), [notebook]))

    async with room(prepare=add_notebook), BleakClient("F0:00:00:00:00:01", timeout=3) as client:
        await client.write_gatt_char(uuid("2a39"), b"hello", response=True)
        assert written == [b"hello"]
        with pytest.raises(BleakGATTProtocolError, match="Read Not Permitted"):
            await client.read_gatt_char(uuid("2a39"))
        notebook = client.services.get_characteristic(uuid("2a39"))
        assert notebook is not None
        (description,) = notebook.descriptors
        assert await client.read_gatt_descriptor(description.handle) == b"notes"
        await client.write_gatt_descriptor(description.handle, b"diary")
        assert await client.read_gatt_descriptor(description.handle) == b"diary"


async def test_a_protected_value_is_readable_after_pairing_and_with_the_bond_at_the_next_link() -> None:
    def add_secret(strap: VirtualStrap) -> None:
        secret: Characteristic[bytes] = Characteristic(
            uuid("2a25"), Characteristic.Properties.READ, Characteristic.READ_REQUIRES_ENCRYPTION, b"secret"
        )
        strap.device.add_service(Service(uuid("181c"), [secret]))

    async with room(prepare=add_secret):
        async with BleakClient("F0:00:00:00:00:01", timeout=3) as client:
            with pytest.raises(BleakGATTProtocolError, match="Insufficient"):
                await client.read_gatt_char(uuid("2a25"))
            await client.pair()
            assert await client.read_gatt_char(uuid("2a25")) == b"secret"
        async with BleakClient("F0:00:00:00:00:01", pair=True, timeout=3) as client:
            assert await client.read_gatt_char(uuid("2a25")) == b"secret"
            await client.unpair()
            assert not client.is_connected


async def test_outside_the_context_bleak_is_as_before() -> None:
    before = bleak.get_platform_client_backend_type, bleak.get_platform_scanner_backend_type  # type: ignore[attr-defined]
    async with room():
        assert BleakScanner().backend_id == "bumble"
        assert BleakClient("F0:00:00:00:00:01").backend_id == "bumble"
    assert before == (bleak.get_platform_client_backend_type, bleak.get_platform_scanner_backend_type)  # type: ignore[attr-defined]
