"""One link: connect, subscribe, hold, and say why it ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.exc import BleakDBusError, BleakError, BleakGATTProtocolError, BleakGATTProtocolErrorCode

from edge_agent.config import SensorConfig
from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.links.acceleration import AccelerationLink, OnAcceleration
from edge_agent.sensors.links.radio import BLUETOOTH_ERRORS, said
from edge_agent.sensors.links.roles import ROLES
from edge_agent.sensors.links.states import Cause
from edge_agent.sensors.profiles.readings import Acceleration, Reading
from edge_agent.sensors.profiles.registry import WHEEL_CIRCUMFERENCE_M, new_decoder
from edge_agent.sensors.profiles.uuids import assigned

log = logging.getLogger(__name__)

# Connecting takes an advertising interval, discovery some 50 round trips of up to 50 ms: 4 s. Longer than this the
# sensor has gone, and the others wait for the adapter.
CONNECT_S = 15.0

# A link that comes up and breaks is made again by bleak (3.1.0) at once, for as long as the attempt may take; so it is
# four times a second where a sensor has lost the key of its bond. After so many breaks others shall have the adapter.
BREAKS = 5

# A link that does not close within this is left to the host.
DISCONNECT_S = 5.0

BATTERY_LEVEL = assigned(0x2A19)
FIRMWARE_REVISION = assigned(0x2A26)
MODEL_NUMBER = assigned(0x2A24)
_TEXT_LIMIT = 64  # characters of what a sensor says of itself; it is untrusted

_SECURITY = {
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHENTICATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_AUTHORIZATION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION,
    BleakGATTProtocolErrorCode.INSUFFICIENT_ENCRYPTION_KEY_SIZE,
}
_BUSY = ("InProgress", "NotReady", "le-connection-abort-by-local", "No more resources", "AlreadyConnected")
_SECURITY_NAMES = ("NotAuthorized", "AuthenticationFailed", "AuthenticationRejected", "AuthenticationCanceled")

Readings = Sequence[Reading | Acceleration]


class SensorLink:
    """One connection to a sensor; made anew for every attempt.

    What its stream measures goes to `on_frame`, one call per packet, in order; malformed packets go to
    `on_malformed`.
    """

    def __init__(
        self,
        config: SensorConfig,
        device: BLEDevice,
        *,
        label: str,
        now_s: Callable[[], float],
        on_frame: Callable[[Readings, float], None],
        on_battery: Callable[[float], None],
        on_malformed: Callable[[MalformedPacketError], None],
    ) -> None:
        self._config = config
        self._label = label
        self._now_s = now_s
        self._on_frame = on_frame
        self._on_battery = on_battery
        self._on_malformed = on_malformed
        self._lost = asyncio.Event()
        self._breaks = 0
        self._attempt: asyncio.Timeout | None = None
        self._acceleration: AccelerationLink | None = None
        self._client = BleakClient(device, self._on_disconnected, timeout=CONNECT_S)
        self.firmware: str | None = None
        self.model: str | None = None

    async def open(self) -> Cause | None:
        """Connect and subscribe.

        Returns:
            None when it is up, else why not; nothing is left open then.
        """
        try:
            await self._connect()
            stream = self._client.services.get_characteristic(ROLES[self._config.role].stream)
            if stream is None:
                await self.close()
                return Cause.WRONG_SENSOR
            await self._subscribe(stream, self._on_frame)
        except BLUETOOTH_ERRORS as error:
            cause = self._cause(error)
            log.info("%s: %s (%s)", self._label, cause.value, said(error))
            await self.close()
            return cause
        except BaseException:
            await self.close()
            raise
        return None

    async def _connect(self) -> None:
        """Connect, unless the link breaks again and again."""
        try:
            async with asyncio.timeout(None) as self._attempt:
                await self._client.connect()
        finally:
            self._attempt = None

    async def read_about(self) -> None:
        """Ask the sensor for its battery, firmware and model; what it does not tell stays unknown."""
        with suppress(*BLUETOOTH_ERRORS, MalformedPacketError):
            self.firmware = await self._read_text(FIRMWARE_REVISION)
            self.model = await self._read_text(MODEL_NUMBER)
            battery = self._client.services.get_characteristic(BATTERY_LEVEL)
            if battery is not None:
                value = bytes(await self._client.read_gatt_char(battery))
                self._take_battery(new_decoder(BATTERY_LEVEL).push(value, 0.0), 0.0)
                if "notify" in battery.properties:
                    await self._subscribe(battery, self._take_battery)

    async def stream_acceleration(self, on_acceleration: OnAcceleration, on_stopped: Callable[[], None]) -> str | None:
        """Ask for acceleration, beside the stream of its role.

        Args:
            on_acceleration: takes the samples of a packet, and when it came.
            on_stopped: told when the sensor ends it by itself.

        Returns:
            None when it runs, else why it does not, in words.
        """
        self._acceleration = AccelerationLink(
            self._client,
            now_s=self._now_s,
            on_acceleration=on_acceleration,
            on_malformed=self._on_malformed,
            on_stopped=on_stopped,
        )
        return await self._acceleration.start()

    @property
    def lost(self) -> bool:
        """Whether the link is no more."""
        return self._lost.is_set()

    async def wait_lost(self) -> None:
        """Until the link is lost."""
        await self._lost.wait()

    async def close(self) -> None:
        """End the link, if there is one; never raises for a link or a host that is gone."""
        with suppress(*BLUETOOTH_ERRORS):
            async with asyncio.timeout(DISCONNECT_S):
                await self._client.disconnect()

    async def _subscribe(
        self, characteristic: BleakGATTCharacteristic, take: Callable[[Readings, float], None]
    ) -> None:
        wheel_mm = self._config.wheel_circumference_mm
        wheel_m = WHEEL_CIRCUMFERENCE_M if wheel_mm is None else wheel_mm / 1000
        decoder = new_decoder(characteristic.uuid, wheel_circumference_m=wheel_m)

        def on_notification(_: BleakGATTCharacteristic, data: bytearray) -> None:
            arrival_s = self._now_s()
            try:
                readings = decoder.push(bytes(data), arrival_s)
            except MalformedPacketError as error:
                self._on_malformed(error)
            else:
                take(readings, arrival_s)

        await self._client.start_notify(characteristic, on_notification)

    def _take_battery(self, readings: Readings, _: float) -> None:
        for reading in readings:
            if isinstance(reading, Reading):
                self._on_battery(reading.value)

    async def _read_text(self, uuid: str) -> str | None:
        characteristic = self._client.services.get_characteristic(uuid)
        if characteristic is None:
            return None
        text = bytes(await self._client.read_gatt_char(characteristic)).decode("utf-8", "replace").strip("\0 ")
        return "".join(c for c in text if c.isprintable())[:_TEXT_LIMIT]

    def _on_disconnected(self, _: BleakClient) -> None:
        self._lost.set()
        if self._acceleration is not None:
            self._acceleration.lost()
        self._breaks += 1
        if self._attempt is not None and self._breaks == BREAKS:
            self._attempt.reschedule(asyncio.get_running_loop().time())

    def _cause(self, error: BaseException) -> Cause:
        security = Cause.BOND_LOST if self._config.bonded else Cause.NOT_BONDED
        if isinstance(error, BleakGATTProtocolError) and error.code in _SECURITY:
            return security
        if isinstance(error, BleakDBusError) and error.dbus_error.rpartition(".")[2] in _SECURITY_NAMES:
            return security
        if any(name in str(error) for name in _BUSY):
            return Cause.BUSY
        if isinstance(error, TimeoutError) and self._breaks < BREAKS:
            return Cause.NO_ANSWER
        if isinstance(error, BleakError | TimeoutError) and self._lost.is_set():
            return Cause.HUNG_UP
        return Cause.FAILED
