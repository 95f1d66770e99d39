"""Shows the device and its athletes in Home Assistant, by its MQTT device discovery.

Source: Home Assistant, MQTT integration, "device discovery payload": one retained message at
`homeassistant/device/<id>/config` describes every entity (`cmps`); it is sent again when Home Assistant says `online`
at `homeassistant/status`, and an entity goes when it is sent with nothing but its platform.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable

import msgspec

from edge_agent import __version__
from edge_agent.config import CommandName
from edge_agent.store.messages import Kind, OutboxMessage
from edge_agent.sync.connection import Connection, LostError, Received, RefusedError
from edge_agent.sync.disclosure import Disclosure
from edge_agent.sync.topics import OFFLINE, ONLINE, Topics

# Where Home Assistant says that it has (re)started.
BIRTH_TOPIC = "homeassistant/status"

_Config = dict[str, str | int]

# Of an athlete's last session, by key of its summary: what Home Assistant has to know.
_SENSORS: dict[str, _Config] = {
    "started_at": {"name": "session", "device_class": "timestamp"},
    "duration_s": {"name": "session duration", "device_class": "duration", "unit_of_measurement": "s"},
    "heart_rate_mean_bpm": {"name": "mean heart rate", "unit_of_measurement": "bpm", "icon": "mdi:heart-pulse"},
    "heart_rate_max_bpm": {"name": "maximum heart rate", "unit_of_measurement": "bpm", "icon": "mdi:heart-pulse"},
}

# Commands with a button or, for the target, a number; what deletes has none.
_CONTROLS: dict[CommandName, _Config] = {
    CommandName.START: {"p": "button", "name": "start", "icon": "mdi:play"},
    CommandName.STOP: {"p": "button", "name": "stop", "icon": "mdi:stop"},
    CommandName.LAP: {"p": "button", "name": "lap", "icon": "mdi:flag-checkered"},
    CommandName.SET_TARGET: {
        "p": "number",
        "name": "target heart rate",
        "icon": "mdi:heart-cog",
        "unit_of_measurement": "bpm",
        "min": 60,
        "max": 200,
        "mode": "box",
    },
}

# A UUID of version 7, as a template of Home Assistant makes one; its `range` ends at 100,000.
_UUID7 = (
    "{% set ms = '%012x' % ((now().timestamp() * 1000) | int) %}{{ ms[:8] }}-{{ ms[8:] }}"
    "-7{{ '%03x' % (range(4096) | random) }}-{{ '%04x' % (32768 + (range(16384) | random)) }}"
    "-{% for _ in range(3) %}{{ '%04x' % (range(65536) | random) }}{% endfor %}"
)


def discovery_topic(topics: Topics) -> str:
    """Where the device is described."""
    return f"homeassistant/device/heartline-{topics.device}/config"


def discovery(
    topics: Topics, athletes: Iterable[str], commands: Collection[CommandName] = (), forgotten: Iterable[str] = ()
) -> bytes:
    """The description of a device.

    Args:
        topics: of the device.
        athletes: as they are called on the wire.
        commands: that are switched on; of others, the entities go.
        forgotten: athletes whose entities go.
    """
    identifier = f"heartline-{topics.device}"
    components: dict[str, _Config] = {
        "status": {
            "p": "binary_sensor",
            "unique_id": f"{identifier}-status",
            "name": "online",
            "device_class": "connectivity",
            "entity_category": "diagnostic",
            "state_topic": topics.status,
            "payload_on": ONLINE.decode(),
            "payload_off": OFFLINE.decode(),
        }
    }
    for athlete in athletes:
        for key, config in _SENSORS.items():
            components[f"{athlete}-{key}"] = {
                **config,
                "p": "sensor",
                "unique_id": f"{identifier}-{athlete}-{key}",
                "name": f"{athlete} {config['name']}",
                "state_topic": topics.last_session(athlete),
                "value_template": f"{{{{ value_json.{key} }}}}",
            }
        for command, config in _CONTROLS.items():
            components[f"{athlete}-{command}"] = (
                _control(topics, athlete, command, config) if command in commands else {"p": config["p"]}
            )
    for athlete in forgotten:
        components.update({f"{athlete}-{key}": {"p": "sensor"} for key in _SENSORS})
        components.update({f"{athlete}-{command}": {"p": config["p"]} for command, config in _CONTROLS.items()})
    return msgspec.json.encode(
        {
            "dev": {"ids": [identifier], "name": "Heartline", "mf": "Heartline", "sw": __version__},
            "o": {"name": "heartline", "sw": __version__},
            "cmps": components,
            "qos": 1,
        }
    )


def _control(topics: Topics, athlete: str, command: CommandName, config: _Config) -> _Config:
    """An entity that sends a command."""
    value = ', "heart_rate_bpm": {{ value }}' if command is CommandName.SET_TARGET else ""
    return {
        **config,
        "unique_id": f"heartline-{topics.device}-{athlete}-{command}",
        "name": f"{athlete} {config['name']}",
        "command_topic": topics.command,
        "command_template": f'{{"schema": 1, "command": "{command}", "command_id": "{_UUID7}", '
        f'"athlete": {msgspec.json.encode(athlete).decode()}{value}}}',
    }


class HomeAssistant:
    """Keeps the description up to date, and the retained state of each athlete's last session."""

    def __init__(
        self,
        connection: Connection,
        topics: Topics,
        disclosure: Disclosure,
        athletes: Callable[[], Iterable[str]],
        *,
        commands: Collection[CommandName] = (),
    ) -> None:
        """Prepare; nothing is sent before `run`.

        Args:
            connection: to send over.
            topics: of this device.
            disclosure: says what athletes are called.
            athletes: gives the names of those of whom something was shared.
            commands: that are switched on.
        """
        self._connection = connection
        self._topics = topics
        self._disclosure = disclosure
        self._athletes = athletes
        self._commands = commands
        self._due = asyncio.Event()
        self._forgotten: set[str] = set()
        connection.when_up(self._due.set)
        connection.subscribe(BIRTH_TOPIC, self._on_birth)

    async def run(self) -> None:
        """Describe the device at each connection and birth, and when an athlete comes or goes, until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            await self._connection.connected()
            athletes = {self._disclosure.athlete(name) for name in self._athletes()}
            topic = discovery_topic(self._topics)
            if self._forgotten:
                await self._retain(topic, discovery(self._topics, athletes, self._commands, self._forgotten))
                self._forgotten.clear()
            await self._retain(topic, discovery(self._topics, athletes, self._commands))

    async def follow(self, message: OutboxMessage, payload: bytes) -> None:
        """Take note of a message that the broker has: of a session, or of an athlete who was forgotten."""
        athlete = self._disclosure.athlete(message.athlete)
        if message.kind is Kind.SUMMARY:
            await self._retain(self._topics.last_session(athlete), payload)
        elif message.kind is Kind.TOMBSTONE:
            await self._retain(self._topics.last_session(athlete), b"")  # which the broker takes for "forget it"
            self._forgotten.add(athlete)
        else:
            return
        self._due.set()

    def _on_birth(self, received: Received) -> None:
        received.acknowledge()
        if received.payload == b"online":
            self._due.set()

    async def _retain(self, topic: str, payload: bytes) -> None:
        with contextlib.suppress(LostError, RefusedError):  # the next connection describes it all again
            await self._connection.publish(topic, payload, retain=True)
