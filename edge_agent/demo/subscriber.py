"""The other end of the sync: a client of the broker that receives what the agent sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.demo.broker import BrokerAddress
from edge_agent.demo.errors import DemoError

_ANSWER_S = 10.0  # for a broker on the loopback or in the house


@dataclass(frozen=True, slots=True)
class Received:
    """A message as the broker delivered it."""

    topic: str
    payload: bytes


@asynccontextmanager
async def subscription(broker: BrokerAddress, topic_filter: str) -> AsyncIterator[asyncio.Queue[Received]]:
    """Receive with QoS 1 what is published from now on; the broker has confirmed when the context begins.

    Raises:
        DemoError: the broker cannot be reached, or does not let us subscribe.
    """
    where = f"the broker at {broker.host}:{broker.port}"
    subscriber = _Subscriber(topic_filter)
    try:
        await asyncio.to_thread(subscriber.client.connect, broker.host, broker.port)
    except (OSError, ValueError) as error:
        msg = f"{where} cannot be reached ({error}); start it, or leave out --mqtt and the demo brings its own"
        raise DemoError(msg) from error
    subscriber.client.loop_start()
    try:
        try:
            refusal = await asyncio.wait_for(subscriber.refusal, _ANSWER_S)
        except TimeoutError as error:
            msg = f"{where} does not answer; check that it speaks MQTT 3.1.1"
            raise DemoError(msg) from error
        if refusal is not None:
            msg = f"{where} refused us ({refusal}); the demo needs one that lets anonymous clients in"
            raise DemoError(msg)
        yield subscriber.received
    finally:
        subscriber.client.disconnect()
        await asyncio.to_thread(subscriber.client.loop_stop)


class _Subscriber:
    """paho's network loop runs in a thread of its own; what it reports is handed to the event loop."""

    def __init__(self, topic_filter: str) -> None:
        self._topic_filter = topic_filter
        self._loop = asyncio.get_running_loop()
        self.received: asyncio.Queue[Received] = asyncio.Queue()
        self.refusal: asyncio.Future[str | None] = self._loop.create_future()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2)
        self.client.connect_timeout = _ANSWER_S
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = self._on_subscribe
        self.client.on_message = self._on_message

    # Called in paho's thread.

    def _on_connect(self, client: mqtt.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:  # noqa: ANN401 - paho's signature
        if reason.is_failure:
            self._loop.call_soon_threadsafe(self._answered, str(reason))
        else:
            client.subscribe(self._topic_filter, qos=1)

    def _on_subscribe(self, _client: mqtt.Client, _userdata: Any, _mid: int, reasons: Any, _properties: Any) -> None:  # noqa: ANN401 - paho's signature
        refusal = next((str(reason) for reason in reasons if reason.is_failure), None)
        self._loop.call_soon_threadsafe(self._answered, refusal)

    def _on_message(self, _client: mqtt.Client, _userdata: Any, message: mqtt.MQTTMessage) -> None:  # noqa: ANN401 - paho's signature
        received = Received(message.topic, bytes(message.payload))
        self._loop.call_soon_threadsafe(self.received.put_nowait, received)

    def _answered(self, refusal: str | None) -> None:
        if not self.refusal.done():
            self.refusal.set_result(refusal)
