"""bleak's GATT client on a bumble device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import bleak
from bleak.args import SizedBuffer
from bleak.assigned_numbers import gatt_char_props_to_strs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import core
from bumble.att import ATT_Error
from bumble.device import Connection, Peer
from bumble.gatt_client import AttributeProxy, CharacteristicProxy

from edge_agent.demo.bumble_adapter import Adapter, cancelled_from_outside, uuid_str

_ATT_MTU_WANTED = 517  # the largest useful one: a 512-byte attribute value and its header


class BumbleClient(BaseBleakClient):
    """GATT client."""

    def __init__(
        self,
        adapter: Adapter,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        **kwargs: Any,  # noqa: ANN401 - bleak passes its own, and what other platforms need
    ) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self._adapter = adapter
        self._wanted_services = services
        self._peer_device = address_or_ble_device if isinstance(address_or_ble_device, BLEDevice) else None
        self._connection: Connection | None = None
        self._subscriptions: dict[int, Callable[[bytes], None]] = {}

    @property
    def name(self) -> str:
        """The advertised name, else the address with dashes."""
        advertised = self._peer_device.name if self._peer_device else None
        return advertised or self.address.replace(":", "-")

    @property
    def mtu_size(self) -> int:
        """The negotiated ATT MTU in bytes."""
        return self._connected().att_mtu

    @property
    def is_connected(self) -> bool:
        """Whether there is a link now."""
        return self._connection is not None

    async def connect(self, pair: bool, **_kwargs: Any) -> None:  # noqa: ANN401, FBT001 - bleak's signature
        """Connect and discover services.

        Raises:
            BleakDeviceNotFoundError: an address alone was given and nobody advertised it in time.
            TimeoutError: the device did not answer in time.
            BleakError: connected already, or the link broke before everything was discovered.
        """
        if self.is_connected:
            msg = "Client is already connected"
            raise BleakError(msg)
        if self._peer_device is None:
            self._peer_device = await self._find()
        connection = await self._adapter.connect(self._peer_device.details["address"], timeout_s=self._timeout)
        self._connection = connection
        connection.once(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        try:
            if pair or await self._adapter.is_bonded(connection.peer_address):
                await self.pair()  # a bonded link is encrypted at once, as BlueZ does it
            peer = Peer(connection)
            async with self._operation():
                await peer.request_mtu(_ATT_MTU_WANTED)
                self.services = await self._discover(peer)
        except BaseException:
            await self.disconnect()
            raise

    async def _find(self) -> BLEDevice:
        found = await bleak.BleakScanner.find_device_by_address(self.address, timeout=self._timeout)
        if found is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        return found

    async def _discover(self, peer: Peer) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        for service in await peer.discover_services():
            uuid = uuid_str(service.uuid)
            if self._wanted_services and uuid not in self._wanted_services:
                continue
            found = BleakGATTService(service, service.handle, uuid)
            collection.add_service(found)
            for characteristic in await service.discover_characteristics():
                listed = BleakGATTCharacteristic(
                    characteristic,
                    characteristic.handle,
                    uuid_str(characteristic.uuid),
                    list(gatt_char_props_to_strs(int(characteristic.properties))),
                    lambda: self.mtu_size - 3,  # ATT opcode and handle
                    found,
                )
                collection.add_characteristic(listed)
                for descriptor in await characteristic.discover_descriptors():
                    collection.add_descriptor(
                        BleakGATTDescriptor(descriptor, descriptor.handle, uuid_str(descriptor.type), listed)
                    )
        return collection

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = None
        self._subscriptions.clear()
        self.services = None
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        """Disconnect; without a link, do nothing."""
        if self._connection is not None:
            with suppress(core.BaseBumbleError):  # it went away at the same moment
                await self._connection.disconnect()

    async def pair(self, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401 - bleak's signature
        """Encrypt the link with the stored bond, or make one.

        Raises:
            BleakError: the peer refused.
        """
        connection = self._connected()
        bonded = await self._adapter.is_bonded(connection.peer_address)
        async with self._operation():
            await (connection.encrypt() if bonded else connection.pair())
        # The identity, now that it is known.
        self.address = connection.peer_address.to_string(with_type_qualifier=False)

    async def unpair(self) -> None:
        """Forget the bond and disconnect."""
        keys = self._adapter.device.keystore
        if keys is not None and self._connection is not None:
            await keys.delete(str(self._connection.peer_address))
        await self.disconnect()

    async def read_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        *,
        use_cached: bool = False,  # noqa: ARG002 - nothing is cached
        **_kwargs: Any,  # noqa: ANN401
    ) -> bytearray:
        """Read a characteristic."""
        return await self._read(characteristic.obj)

    async def read_gatt_descriptor(
        self,
        descriptor: BleakGATTDescriptor,
        *,
        use_cached: bool = False,  # noqa: ARG002 - nothing is cached
        **_kwargs: Any,  # noqa: ANN401
    ) -> bytearray:
        """Read a descriptor."""
        return await self._read(descriptor.obj)

    async def _read(self, attribute: AttributeProxy[bytes]) -> bytearray:
        async with self._operation():
            return bytearray(await attribute.read_value())

    async def write_gatt_char(
        self,
        characteristic: BleakGATTCharacteristic,
        data: SizedBuffer,
        response: bool,  # noqa: FBT001 - bleak's signature
    ) -> None:
        """Write a characteristic."""
        async with self._operation():
            await characteristic.obj.write_value(bytes(data), with_response=response)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor."""
        async with self._operation():
            await descriptor.obj.write_value(bytes(data), with_response=True)

    async def start_notify(
        self,
        characteristic: BleakGATTCharacteristic,
        callback: NotifyCallback,
        **_kwargs: Any,  # noqa: ANN401 - what other platforms need
    ) -> None:
        """Subscribe; notifications are preferred to indications."""
        if characteristic.handle in self._subscriptions:
            msg = "Characteristic notifications already started"
            raise BleakError(msg)

        def on_value(value: bytes) -> None:
            callback(bytearray(value))

        proxy: CharacteristicProxy[bytes] = characteristic.obj
        async with self._operation():
            self._subscriptions[characteristic.handle] = on_value
            await proxy.subscribe(on_value)

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Unsubscribe."""
        async with self._operation():
            await characteristic.obj.unsubscribe(self._subscriptions.pop(characteristic.handle, None))

    def _connected(self) -> Connection:
        if self._connection is None:
            msg = "Not connected"
            raise BleakError(msg)
        return self._connection

    @asynccontextmanager
    async def _operation(self) -> AsyncIterator[None]:
        """Raise what bleak's callers expect, and never hang on a lost link."""
        self._connected()
        try:
            yield
        except ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        except core.TimeoutError as error:
            raise TimeoutError(str(error)) from error
        except core.BaseBumbleError as error:
            raise BleakError(str(error)) from error
        except asyncio.CancelledError as error:
            # On disconnection bumble cancels its pending request; our own task was not cancelled then.
            if self._connection is None and not cancelled_from_outside():
                msg = "Not connected: the link was lost"
                raise BleakError(msg) from error
            raise
        if cancelled_from_outside():
            # bumble uses asyncio.wait_for; up to Python 3.11 that forgets a cancellation that comes with the answer.
            raise asyncio.CancelledError
