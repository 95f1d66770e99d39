"""Acceleration of a heart-rate sensor, over a link that is up: asked for at Polar's control point."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bleak import BleakClient
from bleak.backends.characteristic import BleakGATTCharacteristic

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.links.radio import BLUETOOTH_ERRORS, said
from edge_agent.sensors.profiles import polar_acceleration, polar_control
from edge_agent.sensors.profiles.polar_acceleration import AccelerationStream, State
from edge_agent.sensors.profiles.readings import Acceleration

# The activity model looks at 25 Hz. More costs the sensor's battery, and is thrown away.
RATE_HZ = 25

# Settings, stop and start are a dozen round trips of up to 50 ms; a sensor that is busy answers a second later.
HANDSHAKE_S = 10.0

OnAcceleration = Callable[[list[Acceleration], float], None]


class AccelerationLink:
    """One subscription; made anew for every link.

    The samples go to `on_acceleration`, one call per packet; malformed packets go to `on_malformed`.
    """

    def __init__(
        self,
        client: BleakClient,
        *,
        now_s: Callable[[], float],
        on_acceleration: OnAcceleration,
        on_malformed: Callable[[MalformedPacketError], None],
        on_stopped: Callable[[], None],
    ) -> None:
        """Nothing is asked yet.

        Args:
            client: connected to the sensor.
            now_s: the agent's clock.
            on_acceleration: takes the samples of a packet, and when it came.
            on_malformed: takes what was wrong with one.
            on_stopped: told when the sensor ends the stream by itself.
        """
        self._client = client
        self._now_s = now_s
        self._on_acceleration = on_acceleration
        self._on_malformed = on_malformed
        self._on_stopped = on_stopped
        self._stream = AccelerationStream(rate_hz=RATE_HZ)
        self._answers: asyncio.Queue[bytes | None] = asyncio.Queue()

    def lost(self) -> None:
        """The link is no more; a handshake that is under way ends."""
        self._answers.put_nowait(None)

    async def start(self) -> str | None:
        """Ask for the stream.

        Returns:
            None when it runs, else why it does not, in words.
        """
        control = self._client.services.get_characteristic(polar_control.CONTROL_POINT)
        data = self._client.services.get_characteristic(polar_acceleration.DATA)
        if control is None or data is None:
            return "the sensor has none that can be streamed"
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                await self._client.start_notify(control, self._on_control)
                await self._client.start_notify(data, self._on_data)
                return await self._shake_hands(control)
        except MalformedPacketError as error:
            return str(error)
        except TimeoutError:
            return f"the sensor did not answer within {HANDSHAKE_S:.0f} s"
        except BLUETOOTH_ERRORS as error:
            return said(error)

    async def _shake_hands(self, control: BleakGATTCharacteristic) -> str | None:
        command: bytes | None = self._stream.begin()
        while True:
            if command is not None:
                await self._client.write_gatt_char(control, command, response=True)
            answer = await self._answers.get()
            if answer is None:
                return "the link was lost"
            command = self._stream.on_control(answer)
            if self._stream.state is State.STREAMING:
                return None
            if self._stream.state is State.ENDED:
                status = self._stream.ended
                return f"the sensor refuses it ({'stopped' if status is None else status.name.lower()})".replace(
                    "_", " "
                )

    def _on_control(self, _: BleakGATTCharacteristic, data: bytearray) -> None:
        shaking_hands = self._stream.state is not State.STREAMING
        if shaking_hands:
            self._answers.put_nowait(bytes(data))
            return
        try:
            self._stream.on_control(bytes(data))
        except MalformedPacketError as error:
            self._on_malformed(error)
        if self._stream.state is State.ENDED:
            self._on_stopped()

    def _on_data(self, _: BleakGATTCharacteristic, data: bytearray) -> None:
        arrival_s = self._now_s()
        try:
            blocks = self._stream.push(bytes(data), arrival_s)
        except MalformedPacketError as error:
            self._on_malformed(error)
        else:
            if blocks:
                self._on_acceleration(blocks, arrival_s)
