"""One sensor's life: waits until it is heard, holds its link, and takes it up again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from bleak.backends.device import BLEDevice

from edge_agent.config import Role, SensorConfig
from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.links.health import DataHealth
from edge_agent.sensors.links.host import Host, changes_address
from edge_agent.sensors.links.machine import SensorMachine
from edge_agent.sensors.links.radio import Radio, raise_if_cancelled
from edge_agent.sensors.links.sensor import Readings, SensorLink
from edge_agent.sensors.links.states import ADVICE, Alert, Cause, LinkState, SensorStatus, SignalState
from edge_agent.sensors.profiles.readings import Acceleration

log = logging.getLogger(__name__)

# A strap notifies every second, worn or not: a link over which none has come for this long carries nothing any more.
# Other sensors fall silent when nothing moves.
SILENT_S = 30.0


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of one sensor.

    Attributes:
        sensor: who sent it.
        label: what the log calls it.
        readings: what it says.
        at_s: when it came, on the agent's clock.
        signal: the state of the sensor's data with it.
    """

    sensor: SensorConfig
    label: str
    readings: Readings
    at_s: float
    signal: SignalState


class Supervisor:
    """Holds the link to one sensor.

    Attributes:
        label: what the log calls it.
        machine: when to try.
    """

    def __init__(
        self,
        sensor: SensorConfig,
        *,
        label: str,
        radio: Radio,
        host: Host,
        now_s: Callable[[], float],
        random: Random,
        on_packet: Callable[[Packet], None],
        on_change: Callable[[], None],
    ) -> None:
        self.sensor = sensor
        self.label = label
        self.machine = SensorMachine(random, bonded=sensor.bonded)
        self._radio = radio
        self._host = host
        self._now_s = now_s
        self._on_packet = on_packet
        self._on_change = on_change
        self._health = DataHealth(sensor.role)
        self._device: BLEDevice | None = None
        self._heard = asyncio.Event()
        self._frames = self._malformed = 0
        self._frame_loop_s = 0.0
        self._firmware: str | None = None
        self._model: str | None = None
        self._no_acceleration: str | None = None
        self._said: tuple[SignalState, tuple[Alert, ...]] = (SignalState.NO_SIGNAL, ())

    def heard(self, device: BLEDevice) -> None:
        """It advertises."""
        if not self.machine.wants_scan():
            return
        if not self.sensor.bonded and changes_address(device):
            self._ended(Cause.RANDOM_ADDRESS)
            return
        self._device = device
        self.machine.seen(_loop_s())
        self._heard.set()

    def claimed_again(self) -> None:
        """Its user has paired it again."""
        if self.machine.state is LinkState.NEEDS_USER:
            self.machine.start_over()
            self._on_change()

    def status(self) -> SensorStatus:
        """As it is now."""
        now_s = self._now_s()
        return SensorStatus(
            label=self.label,
            role=self.sensor.role,
            athlete=self.sensor.athlete,
            link=self.machine.state,
            cause=self.machine.cause,
            signal=self._health.signal(now_s),
            alerts=self._health.alerts(now_s),
            battery_percent=self._health.battery_percent,
            firmware=self._firmware,
            model=self._model,
            frame_age_s=self._health.frame_age_s(now_s),
            frames=self._frames,
            malformed_packets=self._malformed,
            reconnects=max(self.machine.connects - 1, 0),
        )

    def watch(self) -> None:
        """Say when the state of its data has changed; to be called every second."""
        now_s = self._now_s()
        state = self._health.signal(now_s), self._health.alerts(now_s)
        if state != self._said:
            signal, alerts = self._said = state
            log.info("%s: %s", self.label, ", ".join(word.replace("_", " ") for word in (signal, *alerts)))

    async def run(self) -> None:
        """Hold the link until cancelled."""
        while True:
            device = await self._until_due()
            link = SensorLink(
                self.sensor,
                device,
                label=self.label,
                now_s=self._now_s,
                on_frame=self._on_frame,
                on_battery=self._health.battery,
                on_malformed=self._on_malformed,
            )
            async with self._radio.attempt():
                if not self.machine.due(_loop_s()):  # waited for the adapter for too long: it has to be heard again
                    continue
                self.machine.attempt()
                cause = await self._open(link)
            if cause is None:
                try:
                    cause = await self._hold(link)
                finally:
                    await link.close()
            self._ended(cause)
            if cause is Cause.BUSY:
                await self._radio.busy()

    async def _until_due(self) -> BLEDevice:
        """Wait until it has been heard and its pause is over."""
        while True:
            raise_if_cancelled()
            self._heard.clear()
            now_s = _loop_s()
            if self._device is not None and self.machine.due(now_s):
                return self._device
            pause_s = self.machine.not_before_s - now_s
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s if pause_s > 0 else None):
                    await self._heard.wait()
            pause_s = self.machine.not_before_s - _loop_s()
            if pause_s > 0:
                await asyncio.sleep(pause_s)
                if not self.machine.due(_loop_s()):
                    self._radio.listen_anew()

    async def _open(self, link: SensorLink) -> Cause | None:
        if self.sensor.bonded and (self.sensor.address or "").upper() not in await self._host.bonded():
            return Cause.BOND_LOST
        return await link.open()

    async def _hold(self, link: SensorLink) -> Cause:
        """Until the link is lost, or carries nothing any more."""
        self.machine.connected(_loop_s())
        self._frame_loop_s = _loop_s()
        log.info("%s: connected", self.label)
        self._on_change()
        await link.read_about()
        self._firmware, self._model = link.firmware or self._firmware, link.model or self._model
        if self.sensor.acceleration is not None:
            await self._ask_for_acceleration(link)
        while True:
            raise_if_cancelled()
            patience_s = SILENT_S - (_loop_s() - self._frame_loop_s) if self.sensor.role is Role.HEART_RATE else None
            try:
                async with asyncio.timeout(patience_s):
                    await link.wait_lost()
            except TimeoutError:
                if _loop_s() - self._frame_loop_s >= SILENT_S:
                    return Cause.SILENT
            else:
                return Cause.LINK_LOST

    def _ended(self, cause: Cause) -> None:
        cause = self.machine.ended(cause, _loop_s())
        if cause in ADVICE:
            log.error("%s: %s: %s", self.label, cause.value, ADVICE[cause])
        else:
            log.warning("%s: %s", self.label, cause.value)
        self._on_change()

    def _on_frame(self, readings: Readings, at_s: float) -> None:
        self._frames += 1
        self._frame_loop_s = _loop_s()
        self.machine.carried()
        self._health.frame(readings, at_s)
        self._on_packet(Packet(self.sensor, self.label, readings, at_s, self._health.signal(at_s)))

    async def _ask_for_acceleration(self, link: SensorLink) -> None:
        """What comes of it has no say in the health of the heart rate, which goes on without it."""
        why_not = await link.stream_acceleration(self._on_acceleration, self._acceleration_stopped)
        if link.lost:
            return
        if why_not is None:
            log.info("%s: acceleration is streamed", self.label)
        elif why_not != self._no_acceleration:  # once, not with every link
            log.warning("%s: no acceleration: %s; heart rate goes on", self.label, why_not)
        self._no_acceleration = why_not

    def _on_acceleration(self, readings: list[Acceleration], at_s: float) -> None:
        self._on_packet(Packet(self.sensor, self.label, readings, at_s, self._health.signal(at_s)))

    def _acceleration_stopped(self) -> None:
        log.warning("%s: the sensor has stopped its acceleration; it is asked again with the next link", self.label)

    def _on_malformed(self, error: MalformedPacketError) -> None:
        self._malformed += 1
        if self._malformed == 1:  # one line is enough to know, one a second would fill the disk
            log.warning("%s: %s; dropped, and so are further ones", self.label, error)


def _loop_s() -> float:
    """Links live by the event loop's clock: a radio cannot be played faster than it is."""
    return asyncio.get_running_loop().time()
