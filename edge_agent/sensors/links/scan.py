"""Lists the heart-rate straps in range."""

from __future__ import annotations

from dataclasses import dataclass

from bleak import BleakScanner
from bleak.exc import BleakError

from edge_agent.errors import LinkError
from edge_agent.sensors.links.heart_rate_strap import SERVICE_UUID


@dataclass(frozen=True, slots=True)
class FoundStrap:
    """A strap that advertises the Heart Rate Service.

    Attributes:
        address: its Bluetooth address.
        name: as advertised, empty when it does not say.
        rssi_dbm: signal strength; the strap on one's own chest is the strongest.
    """

    address: str
    name: str
    rssi_dbm: int


async def scan_for_straps(seconds: float) -> list[FoundStrap]:
    """Straps seen within `seconds`, the strongest signal first.

    Raises:
        LinkError: Bluetooth cannot be used.
    """
    try:
        found = await BleakScanner.discover(timeout=seconds, return_adv=True, service_uuids=[SERVICE_UUID])
    except (BleakError, OSError) as error:
        msg = f"Bluetooth does not answer ({error}); see `systemctl status bluetooth` and `bluetoothctl show`"
        raise LinkError(msg) from error
    straps = (FoundStrap(d.address, a.local_name or d.name or "", a.rssi) for d, a in found.values())
    return sorted(straps, key=lambda strap: -strap.rssi_dbm)
