"""Lists the sensors in range."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from statistics import fmean

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge_agent.config import Role
from edge_agent.errors import LinkError
from edge_agent.sensors.links.host import Host, changes_address
from edge_agent.sensors.links.radio import BLUETOOTH_ERRORS
from edge_agent.sensors.links.roles import roles_of
from edge_agent.sensors.links.states import REMEDIES

# Signal strength varies by 5 to 10 dB with the body's every turn; the mean of the strongest few is what nearness gives.
_STRONGEST = 5


@dataclass(slots=True)
class FoundSensor:
    """A sensor that advertises a service which a role needs.

    Attributes:
        device: as bleak knows it.
        name: as advertised, empty when it does not say.
        roles: what it can be.
        rssi_dbm: signal strength of every advertisement heard.
    """

    device: BLEDevice
    name: str
    roles: list[Role]
    rssi_dbm: list[int] = field(default_factory=list)

    @property
    def address(self) -> str:
        """Its Bluetooth address; the identity behind it where there is a bond."""
        return self.device.address

    @property
    def strength_dbm(self) -> float:
        """Mean of the strongest signals heard from it."""
        return fmean(sorted(self.rssi_dbm)[-_STRONGEST:])

    @property
    def changes_address(self) -> bool:
        """Whether it cannot be claimed without a bond."""
        return changes_address(self.device)


async def scan(seconds: float, host: Host) -> list[FoundSensor]:
    """Sensors heard within `seconds`, the strongest signal first.

    Raises:
        LinkError: Bluetooth cannot be used; the message has the remedy.
    """
    found: dict[str, FoundSensor] = {}

    def on_advertisement(device: BLEDevice, advertisement: AdvertisementData) -> None:
        roles = roles_of(advertisement.service_uuids, advertisement.service_data)
        if not roles:
            return
        sensor = found.setdefault(device.address, FoundSensor(device, "", roles))
        sensor.device, sensor.roles = device, roles
        sensor.name = advertisement.local_name or device.name or sensor.name
        sensor.rssi_dbm.append(advertisement.rssi)

    try:
        # Duplicates are asked for: one advertisement says little of how near a sensor is.
        async with BleakScanner(on_advertisement, bluez={"filters": {"DuplicateData": True}}):
            await asyncio.sleep(seconds)
    except BLUETOOTH_ERRORS as error:
        fault = await host.fault()
        msg = REMEDIES[fault] if fault else f"the scan failed ({error}); see `edge-agent doctor`"
        raise LinkError(msg) from error
    return sorted(found.values(), key=lambda sensor: -sensor.strength_dbm)
