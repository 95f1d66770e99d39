"""The connection to the broker."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.config import MqttConfig, read_password
from edge_agent.store.messages import Kind, OutboxMessage

log = logging.getLogger(__name__)

# paho doubles its wait after each failed attempt up to this; a broker that is back is found within a minute.
MAX_RECONNECT_S = 60

# Dead connections are noticed after one and a half of these (MQTT 3.1.1, section 3.1.2.10).
KEEPALIVE_S = 30

# Last part of the topic.
TOPICS = {Kind.SUMMARY: "session", Kind.EVENT: "event", Kind.TOMBSTONE: "forgotten"}


class Publisher:
    """Publishes with QoS 1 and knows what the broker has acknowledged.

    paho's network loop runs in a thread of its own; whatever it reports is handed to the event loop.
    """

    def __init__(self, config: MqttConfig, device_id: str) -> None:
        """Prepare; nothing is sent before the context is entered.

        Raises:
            ConfigError: the password file cannot be used.
        """
        self._topics = {kind: f"{config.topic_prefix}/{device_id}/{name}" for kind, name in TOPICS.items()}
        self._config = config
        self._connected = asyncio.Event()
        self._acknowledged: dict[int, asyncio.Event] = {}
        self._loop = asyncio.get_running_loop()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"heartline-{device_id}")
        if config.username:
            password = read_password(config.password_file) if config.password_file else None
            self._client.username_pw_set(config.username, password)
        if config.tls:
            self._client.tls_set(ca_certs=str(config.ca_file) if config.ca_file else None)
        self._client.reconnect_delay_set(max_delay=MAX_RECONNECT_S)
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_publish = self._on_publish

    async def __aenter__(self) -> Self:
        self._client.connect_async(self._config.host, self._config.port, keepalive=KEEPALIVE_S)
        self._client.loop_start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    async def publish(self, message: OutboxMessage) -> None:
        """Return when the broker has acknowledged the message, however long that takes.

        Must not be called again before: over a lost connection paho sends an unacknowledged message again by itself.
        """
        await self._connected.wait()
        acknowledged = asyncio.Event()
        message_id = self._client.publish(self._topics[message.kind], message.payload, qos=1).mid
        # The acknowledgement comes through the event loop, so not before this line.
        self._acknowledged[message_id] = acknowledged
        await acknowledged.wait()

    # Called in paho's thread.

    def _on_connect(
        self, _client: mqtt.Client, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            log.error("broker: refused the connection: %s; check username, password and the broker's log", reason)
        else:
            log.info("broker: connected")
            self._loop.call_soon_threadsafe(self._connected.set)

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: object) -> None:
        log.warning("broker: cannot be reached or not trusted (check host, port and ca_file); trying again")

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        if reason.is_failure:
            log.warning("broker: connection lost: %s; trying again", reason)
        self._loop.call_soon_threadsafe(self._connected.clear)

    def _on_publish(
        self, _client: mqtt.Client, _userdata: object, mid: int, _reason: object, _properties: object
    ) -> None:
        self._loop.call_soon_threadsafe(self._acknowledge, mid)

    def _acknowledge(self, message_id: int) -> None:
        if acknowledged := self._acknowledged.pop(message_id, None):
            acknowledged.set()
