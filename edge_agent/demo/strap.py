"""A virtual heart-rate strap: the GATT server of a chest strap on the virtual radio.

Services: Heart Rate 0x180D (measurement and body sensor location), Battery 0x180F, Device Information 0x180A.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from bumble import data_types
from bumble.core import AdvertisingData
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.gatt import (
    GATT_BODY_SENSOR_LOCATION_CHARACTERISTIC,
    GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
    GATT_HEART_RATE_SERVICE,
    Characteristic,
    Service,
)
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.profiles.battery_service import BatteryService
from bumble.profiles.device_information_service import DeviceInformationService
from bumble.profiles.heart_rate_service import HeartRateService

from edge_agent.agent.clock import Clock
from edge_agent.demo.radio import VirtualController
from edge_agent.demo.simulation import RR_UNITS_PER_S, StrapSecond

_ADVERTISING_INTERVAL_MS = 100.0  # straps advertise every 20 to 1000 ms; quick, so that nobody waits for it


class VirtualStrap:
    """A strap that somebody wears; it advertises whenever nobody is connected to it.

    Attributes:
        name: the name it advertises.
        address: its static random address.
        device: bumble's device; services can be added to it until `power_on`.
    """

    def __init__(
        self,
        link: LocalLink,
        *,
        name: str = "Heartline Virtual",
        address: str = "F0:48:4C:00:00:01",
        battery_percent: int = 87,
    ) -> None:
        self.name = name
        self.address = address
        self._controller = VirtualController(name, link=link)
        host = Host()
        host.controller = self._controller
        config = DeviceConfiguration(
            name=name,
            address=Address(address, Address.RANDOM_DEVICE_ADDRESS),
            advertising_interval_min=_ADVERTISING_INTERVAL_MS,
            advertising_interval_max=_ADVERTISING_INTERVAL_MS,
        )
        self.device = Device(config=config, host=host)
        self.device.advertising_data = _advertising_data(name)
        self._subscription = asyncio.Event()
        self._measurement: Characteristic[bytes] = Characteristic(
            GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
            Characteristic.Properties.NOTIFY,
            Characteristic.Permissions(0),
        )
        self._measurement.on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)
        location: Characteristic[bytes] = Characteristic(
            GATT_BODY_SENSOR_LOCATION_CHARACTERISTIC,
            Characteristic.Properties.READ,
            Characteristic.READABLE,
            bytes([HeartRateService.BodySensorLocation.CHEST]),
        )
        self.device.add_services(
            [
                Service(GATT_HEART_RATE_SERVICE, [self._measurement, location]),
                BatteryService(lambda _: battery_percent),
                DeviceInformationService(
                    manufacturer_name="Heartline", model_number="Virtual strap", firmware_revision="1"
                ),
            ]
        )

    @property
    def subscribed(self) -> bool:
        """Whether anybody has asked for heart-rate notifications."""
        enabled = (cccds.get(self._measurement.handle) for cccds in self.device.gatt_server.subscribers.values())
        return any(cccd and cccd[0] & 1 for cccd in enabled)

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

    async def notify(self, packet: bytes) -> None:
        """Send a Heart Rate Measurement, whatever its bytes, to everybody subscribed."""
        await self.device.notify_subscribers(self._measurement, packet)

    async def play(self, seconds: Iterable[StrapSecond], *, clock: Clock) -> None:
        """Send one notification per second of `clock`, from now on and whether or not anybody listens."""
        start_s = clock.monotonic_s()
        for t_s, second in enumerate(seconds):
            await clock.sleep(start_s + t_s - clock.monotonic_s())
            await self.notify(encode(second))

    async def wait_for_subscriber(self) -> None:
        """Return as soon as somebody has asked for heart-rate notifications."""
        await self._subscription.wait()

    def _on_subscription(self, _connection: Connection, notify: bool, _indicate: bool) -> None:  # noqa: FBT001 - bumble's
        if notify:
            self._subscription.set()


def encode(second: StrapSecond) -> bytes:
    """Heart Rate Measurement 0x2A37 of one second; without contact the heart rate is 0, as straps send it."""
    return bytes(
        HeartRateService.HeartRateMeasurement(
            heart_rate=second.heart_rate_bpm or 0,
            sensor_contact_detected=second.heart_rate_bpm is not None,
            rr_intervals=[rr / RR_UNITS_PER_S for rr in second.rr_intervals] or None,
        )
    )


def _advertising_data(name: str) -> bytes:
    flags = AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE | AdvertisingData.Flags.BR_EDR_NOT_SUPPORTED
    structures = [
        data_types.Flags(flags),
        data_types.IncompleteListOf16BitServiceUUIDs([GATT_HEART_RATE_SERVICE]),
        data_types.CompleteLocalName(name),
    ]
    return bytes(AdvertisingData(structures))
