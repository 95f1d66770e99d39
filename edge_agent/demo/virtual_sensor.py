"""A virtual Bluetooth sensor: a GATT server on the virtual radio, whatever it measures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bumble.core import UUID, AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR, Characteristic, Service
from bumble.hci import Address, HCI_LE_Set_Random_Address_Command
from bumble.host import Host
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.profiles.battery_service import BatteryService
from bumble.profiles.device_information_service import DeviceInformationService

from edge_agent.demo.radio import VirtualController

_ADVERTISING_INTERVAL_MS = 100.0  # straps advertise every 20 to 1000 ms; quick, so that nobody waits for it


@dataclass(frozen=True, slots=True)
class Security:
    """What a sensor asks of those who want its data.

    Attributes:
        bond: whether its stream is for bonded hosts alone.
        passkey: six digits printed on it; None for a bond that asks nothing (Just Works).
        changes_address: whether it shows resolvable addresses, another one after each `change_address`.
    """

    bond: bool = True
    passkey: int | None = None
    changes_address: bool = False


class VirtualSensor:
    """Advertises whenever nobody is connected to it.

    Attributes:
        name: the name it advertises.
        address: its static random address, which is its identity where it shows others.
        device: bumble's device; services can be added to it until `power_on`.
        battery_percent: what its battery service says.
    """

    def __init__(
        self,
        link: LocalLink,
        *,
        name: str,
        address: str,
        service: UUID,
        stream: UUID,
        others: Sequence[Characteristic[bytes]] = (),
        service_data: bytes = b"",
        battery_percent: int = 87,
        advertising_interval_ms: float = _ADVERTISING_INTERVAL_MS,
        security: Security | None = None,
    ) -> None:
        self.name = name
        self.address = address
        self.battery_percent = battery_percent
        self._controller = VirtualController(name, link=link)
        host = Host()
        host.controller = self._controller
        config = DeviceConfiguration(
            name=name,
            address=Address(address, Address.RANDOM_DEVICE_ADDRESS),
            advertising_interval_min=advertising_interval_ms,
            advertising_interval_max=advertising_interval_ms,
            irk=bytes(Address(address)) * 2 + bytes(4),
            le_privacy_enabled=security is not None and security.changes_address,
            le_rpa_timeout=0,
        )
        self.device = Device(config=config, host=host)
        if security is not None:
            self.device.pairing_config_factory = lambda _: _pairing(security)
        self.device.advertising_data = _advertising_data(name, service, service_data)
        self._subscription = asyncio.Event()
        self._stream: Characteristic[bytes] = Characteristic(
            stream, Characteristic.Properties.NOTIFY, Characteristic.Permissions(0)
        )
        self._stream.on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)
        self.device.add_services(
            [
                Service(service, [self._stream, *others]),
                BatteryService(lambda _: self.battery_percent),
                DeviceInformationService(
                    manufacturer_name="Heartline", model_number="Virtual sensor", firmware_revision="1.2.3"
                ),
            ]
        )
        if security is not None and security.bond:
            self._secure_subscription()

    @property
    def subscribed(self) -> bool:
        """Whether anybody has asked for its notifications."""
        enabled = (cccds.get(self._stream.handle) for cccds in self.device.gatt_server.subscribers.values())
        return any(cccd and cccd[0] & 1 for cccd in enabled)

    @property
    def rssi_dbm(self) -> int:
        """How strong it is heard."""
        return self._controller.rssi_dbm

    @rssi_dbm.setter
    def rssi_dbm(self, value: int) -> None:
        self._controller.rssi_dbm = value

    async def power_on(self) -> None:
        """Begin to advertise; goes on whenever nobody is connected."""
        await self.device.power_on()
        await self.device.start_advertising(auto_restart=True)

    def power_off(self) -> None:
        """Leave the air without a goodbye, as a battery does."""
        self._controller.power_off()

    async def go_out_of_range(self) -> None:
        """Be heard no more; an existing link times out."""
        await self.device.stop_advertising()
        self._controller.drop_links()

    async def come_back(self) -> None:
        """Be in range again."""
        await self.device.start_advertising(auto_restart=True)

    def lose_link(self) -> None:
        """Break the link and advertise again at once."""
        self._controller.drop_links()

    async def change_address(self) -> None:
        """Show another resolvable address, as a watch does every few minutes."""
        await self.device.stop_advertising()
        self.device.random_address = Address.generate_private_address(self.device.irk)
        command = HCI_LE_Set_Random_Address_Command(random_address=self.device.random_address)
        await self.device.send_sync_command(command)
        await self.device.start_advertising(auto_restart=True)

    async def forget_bonds(self) -> None:
        """Lose every key, as a reset does."""
        if self.device.keystore is not None:
            await self.device.keystore.delete_all()

    async def notify(self, packet: bytes) -> None:
        """Send a packet of its stream, whatever its bytes, to everybody subscribed."""
        await self.device.notify_subscribers(self._stream, packet)

    async def wait_for_subscriber(self) -> None:
        """Return as soon as somebody has asked for its notifications."""
        await self._subscription.wait()

    def _secure_subscription(self) -> None:
        """Let encrypted links alone write the descriptor that asks for notifications; bumble lets every one."""
        for attribute in self.device.gatt_server.attributes:
            if (
                self._stream.handle < attribute.handle <= self._stream.end_group_handle
                and attribute.type == GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR
            ):
                attribute.permissions |= Characteristic.Permissions.WRITE_REQUIRES_ENCRYPTION

    def _on_subscription(self, _connection: Connection, notify: bool, _indicate: bool) -> None:  # noqa: FBT001 - bumble's
        if notify:
            self._subscription.set()


class _Label(PairingDelegate):
    """The passkey is printed on the sensor, so it is the same every time."""

    def __init__(self, passkey: int) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_ONLY)
        self._passkey = passkey

    async def generate_passkey(self) -> int:
        return self._passkey


def _pairing(security: Security) -> PairingConfig:
    return PairingConfig(
        sc=True,
        mitm=security.passkey is not None,
        bonding=True,
        delegate=PairingDelegate() if security.passkey is None else _Label(security.passkey),
        identity_address_type=PairingConfig.AddressType.RANDOM,
    )


def _advertising_data(name: str, service: UUID, service_data: bytes) -> bytes:
    """Laid out as the Core Specification Supplement 11, part A, has it."""
    flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    structures = [
        (AdvertisingData.FLAGS, bytes([flags])),
        (AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, bytes(service)),
        (AdvertisingData.COMPLETE_LOCAL_NAME, name.encode()),
    ]
    if service_data:
        structures.append((AdvertisingData.SERVICE_DATA_16_BIT_UUID, bytes(service) + service_data))
    return bytes(AdvertisingData(structures))
