"""The connection to the broker: kept up, one client after another.

Each attempt is made with a paho client of its own, so that nothing is remembered outside the outbox: what was not
acknowledged when a connection broke is still there and sent again. The client's network loop runs in a thread of its
own; whatever it reports is handed to the event loop.

MQTT 5 is spoken first. A broker that knows 3.1.1 alone says so, or says nothing: then the next attempt speaks the other
version.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from random import Random
from typing import Any, TypeVar

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.broker import BrokerConfig, read_password, tls_context
from edge_agent.sync.paho_client import PahoClient, mend_paho
from edge_agent.sync.topics import OFFLINE, ONLINE, PUBLISHED_AT, Topics
from edge_agent.sync.trouble import NO_ANSWER, NO_MQTT, UNACKNOWLEDGED, Trouble, of_end, of_error, of_refusal

log = logging.getLogger(__name__)

# A dead connection is noticed after at most twice this: paho pings after it, and waits as long for the answer.
KEEPALIVE_S = 30

# How long a broker may take for its CONNACK: twice what it takes where each way is 2 s long. Some of those that do not
# know MQTT 5 never answer, and cost this once.
ANSWER_S = 8.0

# How long a broker may take to acknowledge a message, before a new connection is tried. A dead connection is noticed as
# soon, and one that stands is not kept for a broker that answers pings alone.
ACKNOWLEDGE_S = 60.0

# How long a stop waits for the broker to take the news that the device is offline.
GOODBYE_S = 2.0

# First and longest pause between attempts, doubled after each. A broker that is back is found within a minute; what
# only a person can mend (a password, a certificate) is tried every quarter of an hour and does not fill anyone's log.
_PASSING_S = (1.0, 60.0)
_LASTING_S = (30.0, 900.0)

# Fixed header, length of the topic, message id and properties of a PUBLISH (MQTT 5, section 3.3): at most so much.
_OVERHEAD_BYTES = 64


_Result = TypeVar("_Result")


# What comes in is a word or a small object, and the broker is asked to keep back what is longer: a payload, and as much
# again for its topic and properties. MQTT 3.1.1 cannot be asked.
MAX_INBOUND_BYTES = 4096
_MAX_PACKET_BYTES = 2 * MAX_INBOUND_BYTES

# How many messages a broker hands over before the first is dealt with.
_MAX_WAITING = 8

# How long a broker keeps for a device that is away what was meant for it: as long as a command may be old (`inbox`).
KEPT_S = 300


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker: from anyone, and not to be trusted.

    Attributes:
        payload: of any length where the broker speaks MQTT 3.1.1.
        retained: whether the broker had kept it, from whenever.
        response_topic: where its sender wants an answer; None where no topic is named.
        correlation: what the sender wants to find in the answer; None where there is nothing.
        acknowledge: to be called when it is dealt with; what is not acknowledged comes again.
    """

    payload: bytes
    retained: bool
    response_topic: str | None
    correlation: bytes | None
    acknowledge: Callable[[], object]


class LostError(Exception):
    """There is no connection, or it ended before the broker acknowledged; the text says which."""


class RefusedError(Exception):
    """The broker does not take this message; the text says why, and the remedy."""


@dataclass(eq=False)
class _Link:
    """One connection, from the attempt to its end."""

    client: PahoClient
    answered: asyncio.Future[tuple[ReasonCode, Properties | None]]
    ended: asyncio.Future[Trouble]
    acknowledgements: dict[int, asyncio.Future[ReasonCode]] = field(default_factory=dict)
    max_packet_bytes: int | None = None

    def acknowledge(self, message_id: int, reason: ReasonCode) -> None:
        """The broker has a message, or refuses it."""
        if waiting := self.acknowledgements.pop(message_id, None):
            _settle(waiting, reason)

    def end(self, trouble: Trouble) -> None:
        """The connection is over."""
        _settle(self.ended, trouble)
        why = "it does not acknowledge it" if trouble is UNACKNOWLEDGED else "it ends the connection on it"
        for waiting in self.acknowledgements.values():
            if not waiting.done():
                waiting.set_exception(LostError(why))
        self.acknowledgements.clear()


class Connection:
    """Keeps a connection, publishes over it, and says what became of each message."""

    def __init__(self, config: BrokerConfig, topics: Topics, random: Random) -> None:
        """Prepare; nothing is sent before `run`.

        Args:
            config: where the broker is, and how to log in.
            topics: of this device.
            random: spreads the attempts of many devices.

        Raises:
            ConfigError: the password or a certificate cannot be used.
        """
        self._config = config
        self._topics = topics
        self._random = random
        self._password = read_password(config)
        self._tls = tls_context(config) if config.tls else None
        mend_paho()
        self._protocol = MQTTProtocolVersion.MQTTv5
        self._link: _Link | None = None
        self._up = asyncio.Event()
        self._when_up: list[Callable[[], None]] = []
        self._handlers: dict[str, Callable[[Received], None]] = {}
        self._failures = 0
        self._said: str | None = None

    async def run(self) -> None:
        """Connect, again and again, until cancelled."""
        while True:
            trouble = await self._hold()
            if trouble.text != self._said:
                log.warning("broker: %s; trying again", trouble.text)
                self._said = trouble.text
            first_s, most_s = _LASTING_S if trouble.lasting else _PASSING_S
            pause_s = min(first_s * 2.0**self._failures, most_s)
            self._failures = min(self._failures + 1, 16)
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.0))

    def when_up(self, callback: Callable[[], None]) -> None:
        """Have `callback` called at each connection."""
        self._when_up.append(callback)

    def subscribe(self, topic: str, handler: Callable[[Received], None]) -> None:
        """Have `handler` called with each message at a topic, to acknowledge it; to be asked for before `run`."""
        self._handlers[topic] = handler

    async def connected(self) -> None:
        """Wait until there is a connection."""
        await self._up.wait()

    def publish_now(self, topic: str, payload: bytes) -> None:
        """Send a message that is worth nothing later (QoS 0); without a connection it is gone."""
        if self._link is not None:
            self._link.client.publish(topic, payload, qos=0)

    async def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        retain: bool = False,
        correlation: bytes | None = None,
        published_at: datetime | None = None,
    ) -> None:
        """Return when the broker has acknowledged the message (QoS 1).

        Args:
            topic: where.
            payload: what.
            retain: whether the broker is to keep it.
            correlation: of the message that this one answers; told with MQTT 5.
            published_at: now, where it is known; told with MQTT 5.

        Raises:
            LostError: it may or may not have it; publish again.
            RefusedError: it will not take it.
        """
        link = self._link
        if link is None:
            msg = "there is no connection"
            raise LostError(msg)
        size_bytes = len(payload) + len(topic.encode()) + len(correlation or b"") + _OVERHEAD_BYTES
        if link.max_packet_bytes is not None and size_bytes > link.max_packet_bytes:
            msg = f"it takes {link.max_packet_bytes} bytes at most, this has {size_bytes}; raise the broker's limit"
            raise RefusedError(msg)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho leaves it untyped
        if correlation is not None:
            properties.CorrelationData = correlation
        if published_at is not None:
            properties.UserProperty = (PUBLISHED_AT, f"{published_at.timestamp():.3f}")
        message_id = link.client.publish(topic, payload, qos=1, retain=retain, properties=properties).mid
        # The acknowledgement comes through the event loop, so not before these lines.
        acknowledged = asyncio.get_running_loop().create_future()
        link.acknowledgements[message_id] = acknowledged
        unanswered = asyncio.get_running_loop().call_later(ACKNOWLEDGE_S, self._end, link, UNACKNOWLEDGED)
        try:
            reason = await acknowledged
        finally:
            unanswered.cancel()
            del acknowledged  # which holds the error that holds this frame, and with it the client
        if reason.is_failure:
            msg = f"it refuses what is published to {topic} ({reason}); allow it in the broker's access list"
            raise RefusedError(msg)

    async def _hold(self) -> Trouble:
        """Make one connection and keep it to its end; what was wrong with it."""
        loop = asyncio.get_running_loop()
        link = _Link(self._new_client(), loop.create_future(), loop.create_future())
        self._listen(link, loop)
        try:
            return await self._attempt(link)
        finally:
            link.client.hear_no_more()

    async def _attempt(self, link: _Link) -> Trouble:
        config = self._config
        try:
            await asyncio.to_thread(link.client.connect, config.host, config.port, KEEPALIVE_S, **self._session())
        except OSError as error:
            return of_error(error)
        link.client.loop_start()
        try:
            return await self._serve(link)
        finally:
            await self._leave(link)

    async def _serve(self, link: _Link) -> Trouble:
        signs: tuple[asyncio.Future[Any], ...] = (link.answered, link.ended)
        await asyncio.wait(signs, timeout=ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        if not link.answered.done():
            self._other_protocol()
            return NO_ANSWER
        reason, properties = link.answered.result()
        if reason.is_failure:
            if reason.getName() == "Unsupported protocol version":
                self._other_protocol()
            return of_refusal(reason)
        link.max_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self._link = link
        for topic in self._handlers:  # first: a device that is online listens
            link.client.subscribe(topic, qos=1)
        try:
            with contextlib.suppress(RefusedError):  # a broker that takes no birth may take summaries
                await self.publish(self._topics.status, ONLINE, retain=True)
        except LostError:
            return link.ended.result()
        log.info("broker: connected")
        self._failures, self._said = 0, None
        self._up.set()
        for callback in self._when_up:
            callback()
        await asyncio.wait([link.ended])  # which, unlike awaiting it, leaves it be when this is cancelled
        self._protocol = MQTTProtocolVersion.MQTTv5  # for what kept an answer back may have been the network
        return link.ended.result()

    async def _leave(self, link: _Link) -> None:
        """End a connection, with the news that the device is offline where it still can be told."""
        if not link.ended.done() and link.answered.done() and not link.answered.result()[0].is_failure:
            told = link.client.publish(self._topics.status, OFFLINE, qos=1, retain=True)
            with contextlib.suppress(ValueError, RuntimeError):  # the queue is full, or the connection broke just now
                await asyncio.to_thread(told.wait_for_publish, GOODBYE_S)
        link.client.disconnect()
        await asyncio.to_thread(link.client.loop_stop)

    def _session(self) -> dict[str, Any]:
        """How to connect: what is listened to is kept by a broker of MQTT 5 over a short absence."""
        if self._protocol is not MQTTProtocolVersion.MQTTv5:
            return {}
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho leaves it untyped
        properties.MaximumPacketSize = _MAX_PACKET_BYTES
        properties.ReceiveMaximum = _MAX_WAITING
        if self._handlers:
            properties.SessionExpiryInterval = KEPT_S
        return {"clean_start": not self._handlers, "properties": properties}

    def _other_protocol(self) -> None:
        five, three = MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311
        self._protocol = three if self._protocol is five else five

    def _new_client(self) -> PahoClient:
        client = PahoClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._topics.client_id,
            protocol=self._protocol,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.will_set(self._topics.status, OFFLINE, qos=1, retain=True)
        if self._config.username:
            client.username_pw_set(self._config.username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
            client.tls_insecure_set(not self._config.check_server_name)
        return client

    def _listen(self, link: _Link, loop: asyncio.AbstractEventLoop) -> None:
        """Hand what paho's thread reports of a link to the event loop."""

        def on_connect(_client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, more: object) -> None:
            properties = more if isinstance(more, Properties) else None
            loop.call_soon_threadsafe(_settle, link.answered, (reason, properties))

        def on_publish(_client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _more: object) -> None:
            loop.call_soon_threadsafe(link.acknowledge, mid, reason)

        def on_subscribe(_client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], _m: object) -> None:
            if any(reason.is_failure for reason in reasons):
                log.error(
                    "broker: it refuses to pass on what is published to %s (%s); allow it in the broker's access list",
                    *(" or ".join(self._handlers), reasons[0]),
                )

        def on_disconnect(_client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _m: object) -> None:
            loop.call_soon_threadsafe(self._end, link, of_end(reason))

        def on_broken() -> None:
            loop.call_soon_threadsafe(self._end, link, NO_MQTT)

        def on_message(client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            acknowledge = partial(client.ack, message.mid, message.qos)
            # A topic that is no UTF-8 raises, and is of a broker that is none.
            if handler := self._handlers.get(message.topic):
                loop.call_soon_threadsafe(handler, _received(message, acknowledge))
            else:  # of an earlier subscription
                acknowledge()

        link.client.on_connect = on_connect
        link.client.on_publish = on_publish
        link.client.on_subscribe = on_subscribe
        link.client.on_message = on_message
        link.client.on_disconnect = on_disconnect
        link.client.on_broken = on_broken

    def _end(self, link: _Link, trouble: Trouble) -> None:
        # At once, before anyone publishes over what is gone.
        self._link = None
        self._up.clear()
        link.end(trouble)


def _received(message: mqtt.MQTTMessage, acknowledge: Callable[[], object]) -> Received:
    properties = message.properties
    return Received(
        bytes(message.payload),
        message.retain,
        getattr(properties, "ResponseTopic", None),
        getattr(properties, "CorrelationData", None),
        acknowledge,
    )


def _settle(future: asyncio.Future[_Result], result: _Result) -> None:
    if not future.done():
        future.set_result(result)
