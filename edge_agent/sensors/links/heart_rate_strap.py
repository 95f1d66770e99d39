"""The link to one heart-rate strap: find it, connect, subscribe, and again when it is lost."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable

from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from edge_agent.config import StrapConfig
from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles import heart_rate

log = logging.getLogger(__name__)

SERVICE_UUID = heart_rate.SERVICE
MEASUREMENT_UUID = heart_rate.MEASUREMENT

_ADDRESS = re.compile("([0-9A-Fa-f]{2}[:_]){5}[0-9A-Fa-f]{2}")  # as Bluetooth and as D-Bus paths write it

# A strap advertises at least every 1.28 s (Heart Rate Profile 1.0, table 5.1, reduced power), a scanner listens part of
# the time: 10 s see it several times over. After that the scan begins anew, which also clears a scan that died.
SCAN_S = 10.0

# Between two attempts: long enough for an adapter that was reset to come up, short against a session.
RETRY_S = 2.0


class HeartRateStrap:
    """The configured strap.

    What it measures goes to `on_measurement`, in order; what it sends malformed is counted and dropped.
    """

    def __init__(self, config: StrapConfig, on_measurement: Callable[[heart_rate.HeartRateMeasurement], None]) -> None:
        self._config = config
        self._on_measurement = on_measurement
        self.malformed_packets = 0

    async def run(self) -> None:
        """Hold the link until cancelled."""
        while True:
            try:
                await self._connect_once()
            except (BleakError, TimeoutError) as error:
                # The log must not say who was where.
                reason = _ADDRESS.sub("(address)", str(error))
                log.warning("strap: %s: %s; trying again in %.0f s", type(error).__name__, reason, RETRY_S)
            except OSError as error:  # TimeoutError is one too, and is caught above
                # No D-Bus, or nobody on it who knows Bluetooth; the agent goes on, for it may come.
                log.warning("strap: Bluetooth does not answer (%s); see `systemctl status bluetooth`", error.strerror)
            await asyncio.sleep(RETRY_S)

    async def _connect_once(self) -> None:
        """Find the strap, connect, and stay until the link is lost."""
        log.info("strap: looking for it")
        device = await BleakScanner.find_device_by_filter(
            self._is_configured, timeout=SCAN_S, service_uuids=[SERVICE_UUID]
        )
        if device is None:
            log.info("strap: not in range, or not worn (most straps sleep until they are)")
            return
        lost = asyncio.Event()
        async with BleakClient(device, disconnected_callback=lambda _: lost.set()) as client:
            await client.start_notify(MEASUREMENT_UUID, self._on_notification)
            log.info("strap: connected")
            await lost.wait()
        log.warning("strap: link lost")

    def _is_configured(self, device: BLEDevice, advertisement: AdvertisementData) -> bool:
        wanted, name = self._config, advertisement.local_name or device.name
        return (
            SERVICE_UUID in advertisement.service_uuids
            and (wanted.address is None or device.address.casefold() == wanted.address.casefold())
            and (wanted.name is None or name == wanted.name)
        )

    def _on_notification(self, _: BleakGATTCharacteristic, data: bytearray) -> None:
        try:
            measurement = heart_rate.parse(bytes(data))
        except MalformedPacketError as error:
            self.malformed_packets += 1
            if self.malformed_packets == 1:  # one line is enough to know, one a second would fill the disk
                log.warning("strap: %s; dropped, and so are further ones", error)
        else:
            self._on_measurement(measurement)
