"""Every profile as a GATT service of a virtual sensor: bytes from our encoders, sent by bumble."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable, Sequence

from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, CharacteristicValue, Service

from edge_agent.sensors.profiles import polar_acceleration, polar_control
from edge_agent.sensors.profiles.polar_acceleration import AccelerationFrame, Sample
from edge_agent.sensors.profiles.polar_control import Command, Features, Measurement, Response, Setting, Status
from edge_agent.sensors.profiles.registry import CHARACTERISTICS, SERVICES

_NS_PER_S = 1_000_000_000


def streams() -> list[str]:
    """Characteristics that a sensor streams without being asked at a control point."""
    return [uuid for uuid, known in CHARACTERISTICS.items() if known.decoder and not known.control_point]


class VirtualServices:
    """The services of all profiles, on one device beside those that it has already."""

    def __init__(self, device: Device) -> None:
        """Add them; before the device is powered on."""
        self._device = device
        has = [service.uuid for service in device.gatt_server.services]
        self._characteristics: dict[str, Characteristic[bytes]] = {}
        for service, known in SERVICES.items():
            wanted = [uuid for uuid in known.streams if uuid in streams()]
            if wanted and UUID(service) not in has:
                made = {uuid: notifying(uuid) for uuid in wanted}
                self._characteristics |= made
                device.add_service(Service(UUID(service), list(made.values())))
        self.polar = PolarService(device)

    async def send(self, uuid: str, packets: Iterable[bytes]) -> None:
        """Notify a characteristic's values to everybody subscribed."""
        for packet in packets:
            await self._device.notify_subscribers(self._characteristics[uuid], packet)


def notifying(uuid: str) -> Characteristic[bytes]:
    """A characteristic that is there to be subscribed to."""
    return Characteristic(UUID(uuid), Characteristic.Properties.NOTIFY, Characteristic.Permissions(0))


class PolarService:
    """Polar's measurement service with acceleration, as a strap or (compressed) as an armband has it.

    Attributes:
        commands: what was written to the control point.
        factor: of the compressed frames, None for raw ones.
        running: whether it thinks that it streams; set it to have a start refused as of something that runs already.
        answers: what it indicates for every command, instead of the right answer; None for that.
    """

    rates_hz = (25, 50, 100, 200)

    def __init__(self, device: Device) -> None:
        self.commands: list[bytes] = []
        self.factor: float | None = None
        self.running = False
        self.answers: Sequence[bytes] | None = None
        self._device = device
        self._started = asyncio.Event()
        self._control: Characteristic[bytes] = Characteristic(
            UUID(polar_control.CONTROL_POINT),
            Characteristic.Properties.READ | Characteristic.Properties.WRITE | Characteristic.Properties.INDICATE,
            Characteristic.READABLE | Characteristic.WRITEABLE,
            CharacteristicValue(read=self._on_read, write=self._on_write),
        )
        self._data = notifying(polar_acceleration.DATA)
        device.add_service(Service(UUID(polar_acceleration.SERVICE), [self._control, self._data]))

    def _on_read(self, _: Connection) -> bytes:
        return polar_control.encode_features(Features((Measurement.ECG, Measurement.ACCELERATION)))

    async def _on_write(self, _: Connection, value: bytes) -> None:
        self.commands.append(value)
        right = (
            polar_control.encode_response(response, Measurement.ACCELERATION)
            for response in self._answer(Command(value[0]))
        )
        for packet in right if self.answers is None else self.answers:
            await self.indicate(packet)

    async def indicate(self, packet: bytes) -> None:
        """Say something at the control point, whatever its bytes."""
        await self._device.indicate_subscribers(self._control, packet)

    async def notify(self, packet: bytes) -> None:
        """Send a packet of data, whatever its bytes."""
        await self._device.notify_subscribers(self._data, packet)

    def _answer(self, command: Command) -> list[Response]:
        """Settings come in two parts, as they do where the MTU is small."""

        def response(parameters: bytes = b"", *, status: Status = Status.SUCCESS, more: bool = False) -> Response:
            return Response(command, Measurement.ACCELERATION, status, more=more, parameters=parameters)

        match command:
            case Command.GET_SETTINGS:
                offered = {
                    Setting.SAMPLE_RATE_HZ: self.rates_hz,
                    Setting.RESOLUTION_BITS: (16,),
                    Setting.RANGE: (2, 4, 8),
                }
                settings = polar_control.encode_settings(offered)
                return [response(settings[:9], more=True), response(settings[9:])]
            case Command.START if self.running:
                return [response(status=Status.ALREADY_IN_STATE)]
            case Command.START:
                self.running = True
                self._started.set()
                return [response(b"" if self.factor is None else b"\x05\x01" + struct.pack("<f", self.factor))]
            case Command.STOP:
                self.running = False
                return [response()]
        return [response(status=Status.NOT_SUPPORTED)]

    async def play(self, samples: Sequence[Sample], *, rate_hz: int, per_frame: int) -> None:
        """When it is started, send samples (counts) in real time and in whole frames."""
        await self._started.wait()
        for end in range(per_frame, len(samples) + 1, per_frame):
            await asyncio.sleep(per_frame / rate_hz)
            frame = AccelerationFrame(
                time_ns=end * _NS_PER_S // rate_hz,
                mg_per_count=1,
                compressed=self.factor is not None,
                samples=tuple(samples[end - per_frame : end]),
            )
            await self.notify(polar_acceleration.encode(frame))
