"""The links to every claimed sensor, and to no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from random import Random

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from edge_agent.config import SensorConfig
from edge_agent.sensors.links.claims import Claims, allow_list, labels
from edge_agent.sensors.links.host import Host
from edge_agent.sensors.links.radio import Radio
from edge_agent.sensors.links.roles import ROLES
from edge_agent.sensors.links.states import AdapterFault, LinkState, SensorStatus
from edge_agent.sensors.links.supervisor import Packet, Supervisor

log = logging.getLogger(__name__)

# How often the clocks of the data and the file of claims are looked at.
WATCH_S = 1.0

OnSensors = Callable[[Sequence[tuple[str, SensorConfig]]], None]


class Links:
    """Every sensor of the allow-list.

    What they measure goes to `on_packet`, in order of arrival.
    """

    def __init__(
        self,
        listed: Sequence[SensorConfig],
        claims: Claims,
        *,
        host: Host,
        now_s: Callable[[], float],
        random: Random,
        on_packet: Callable[[Packet], None],
        on_sensors: OnSensors,
    ) -> None:
        """Prepare.

        Args:
            listed: the sensors of the configuration.
            claims: the file of the others; read again whenever it changes.
            host: Bluetooth below bleak.
            now_s: the agent's monotonic clock, which data lives by.
            random: of the pauses' jitter.
            on_packet: takes what comes.
            on_sensors: told every label and sensor, in order of preference, whenever the list changes.

        Raises:
            ConfigError: the file of claims cannot be read.
        """
        self._listed = listed
        self._claims = claims
        self._host = host
        self._now_s = now_s
        self._random = random
        self._on_packet = on_packet
        self._on_sensors = on_sensors
        self._supervisors: dict[SensorConfig, Supervisor] = {}
        self._running: dict[SensorConfig, asyncio.Task[None]] = {}
        self._radio = Radio(host, {profile.service for profile in ROLES.values()}, self._on_advertisement)
        self._radio.links_up = lambda: any(s.machine.state is LinkState.CONNECTED for s in self._supervisors.values())
        self._radio.remove_stale = self._remove_stale
        self._claims_ns = claims.changed_ns()
        self._arrange(allow_list(listed, claims.read()))

    @property
    def adapter_fault(self) -> AdapterFault | None:
        """Why Bluetooth cannot be used, None when it can."""
        return self._radio.fault

    def status(self) -> list[SensorStatus]:
        """Every sensor as it is now, in order of preference."""
        return [supervisor.status() for supervisor in self._supervisors.values()]

    async def run(self) -> None:
        """Hold the links until cancelled.

        Raises:
            ConfigError: the file of claims was changed to something that cannot be read.
        """
        # What an agent that was killed left connected does not advertise, and would not be found.
        await self._host.release({sensor.address.upper() for sensor in self._supervisors if sensor.address})
        self._look_for_the_missing()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._radio.run(), name="scan")
            while True:
                for sensor in self._running.keys() - self._supervisors.keys():
                    self._running.pop(sensor).cancel()
                for sensor, supervisor in self._supervisors.items():
                    if sensor not in self._running:
                        self._running[sensor] = tasks.create_task(supervisor.run(), name=supervisor.label)
                await asyncio.sleep(WATCH_S)
                for supervisor in self._supervisors.values():
                    supervisor.watch()
                if self._claims.changed_ns() != self._claims_ns:
                    self._claims_ns = self._claims.changed_ns()
                    log.info("sensors: the claims have changed")
                    self._arrange(allow_list(self._listed, self._claims.read()))

    def _arrange(self, sensors: Sequence[SensorConfig]) -> None:
        """Watch these; one that is watched already keeps its link."""
        arranged: dict[SensorConfig, Supervisor] = {}
        for label, sensor in labels(sensors):
            if sensor in self._supervisors:
                arranged[sensor] = self._supervisors[sensor]
                arranged[sensor].label = label
                arranged[sensor].claimed_again()
            else:
                arranged[sensor] = Supervisor(
                    sensor,
                    label=label,
                    radio=self._radio,
                    host=self._host,
                    now_s=self._now_s,
                    random=self._random,
                    on_packet=self._on_packet,
                    on_change=self._look_for_the_missing,
                )
        self._supervisors = arranged
        self._on_sensors([(supervisor.label, sensor) for sensor, supervisor in arranged.items()])
        self._look_for_the_missing()

    def _look_for_the_missing(self) -> None:
        self._radio.want(scan=any(s.machine.wants_scan() for s in self._supervisors.values()))

    def _on_advertisement(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        name = advertisement.local_name or device.name
        for sensor, supervisor in self._supervisors.items():
            # A name can be anybody's, a phone's too: then it has to advertise the service as well.
            if sensor.matches(device.address, name) and (
                sensor.address or ROLES[sensor.role].service in advertisement.service_uuids
            ):
                supervisor.heard(device)

    async def _remove_stale(self) -> None:
        """Let the host forget our missing sensors; never a bonded one, whose key would go with it."""
        for sensor, supervisor in self._supervisors.items():
            if sensor.address and not sensor.bonded and supervisor.machine.wants_scan():
                await self._host.remove(sensor.address.upper())
