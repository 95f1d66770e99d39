"""A backend that only counts: what reached it, by device, id and revision, and how often."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.sync.topics import ONLINE

Key = tuple[str, str, int]

_WAIT_S = 20.0
_POLL_S = 0.05
_LAST = "heartline/backend/status"
_FOR_EVER = 0xFFFFFFFF  # as session expiry interval (MQTT 5, section 3.1.2.11.2)


class _Identity(msgspec.Struct):
    """What of a summary tells it from others."""

    session_id: str
    revision: int


@dataclass(frozen=True, slots=True)
class Count:
    """What became of messages.

    Attributes:
        lost: how many never came.
        twice: how many came again.
    """

    lost: int
    twice: int


class Backend:
    """Subscribed to the summaries and the status of all devices; a broker keeps its session while either is away.

    Attributes:
        online: what the status said last.
    """

    def __init__(
        self, ports: Iterable[int], *, version: MQTTProtocolVersion, login: tuple[str, str] | None = None
    ) -> None:
        self.online = False
        self._seen: Counter[Key] = Counter()
        self._last = threading.Event()
        self._subscribed = threading.Semaphore(0)
        self._clients = [self._client(port, version, login) for port in ports]

    def listen(self) -> None:
        """Wait until the brokers send it what comes."""
        for _ in self._clients:
            assert self._subscribed.acquire(timeout=_WAIT_S)

    def close(self) -> None:
        """Leave."""
        while self._clients:
            client = self._clients.pop()
            client.disconnect()
            client.loop_stop()
            client.on_connect = client.on_subscribe = client.on_message = None  # which hold it, and its sockets

    async def has(self, session_ids: Collection[str]) -> None:
        """Wait until the summaries of these sessions have come."""
        while self._count(session_ids).lost:
            await asyncio.sleep(_POLL_S)

    async def count(self, session_ids: Collection[str]) -> Count:
        """What became of the summaries of these sessions, of all that the brokers have."""
        for client in filter(mqtt.Client.is_connected, self._clients):
            self._last.clear()
            client.publish(_LAST, qos=1)  # comes behind the others
            while not self._last.is_set():
                await asyncio.sleep(_POLL_S)
        return self._count(session_ids)

    def _count(self, session_ids: Collection[str]) -> Count:
        seen = self._seen.copy()
        times = [sum(n for (_, came, _), n in seen.items() if came == session_id) for session_id in session_ids]
        return Count(lost=times.count(0), twice=sum(max(n - 1, 0) for n in times))

    def _client(self, port: int, version: MQTTProtocolVersion, login: tuple[str, str] | None) -> mqtt.Client:
        knows_5 = version is MQTTProtocolVersion.MQTTv5
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id="backend",
            protocol=version,
            clean_session=None if knows_5 else False,
        )
        client.reconnect_delay_set(0.05, 0.2)  # type: ignore[arg-type]  # it only sleeps for it
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._subscribed.release()
        client.on_message = self._on_message
        if login:
            client.username_pw_set(*login)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _FOR_EVER
        if knows_5:
            client.connect("127.0.0.1", port, clean_start=False, properties=properties)
        else:
            client.connect("127.0.0.1", port)
        client.loop_start()
        return client

    @staticmethod
    def _on_connect(client: mqtt.Client, *_: object) -> None:
        client.subscribe([("heartline/+/session", 1), ("heartline/+/status", 1)])

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        _, device, kind = message.topic.split("/")
        if message.topic == _LAST:
            self._last.set()
            return
        if kind == "status":
            self.online = message.payload == ONLINE
            return
        identity = msgspec.json.decode(message.payload, type=_Identity)
        self._seen[device, identity.session_id, identity.revision] += 1


@contextmanager
def backend(
    *ports: int,
    version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    login: tuple[str, str] | None = None,
) -> Iterator[Backend]:
    """A backend that listens at brokers."""
    made = Backend(ports, version=version, login=login)
    try:
        made.listen()
        yield made
    finally:
        made.close()
