"""A worker's share of a broker's messages, by the shared subscriptions of MQTT 5.

Each connection is made with a paho client of its own, and a receipt is good for the connection it came by alone: a
message number of an earlier one may mean another message now. What was not acknowledged is sent again.

The broker keeps a worker's session for ever: mosquitto gives an absent worker its share like any other, and throws that
away when the session expires. So a worker that is not to come back has to leave its group, which takes in what waits
for it and ends the session.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random
from types import TracebackType
from typing import Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.broker import read_password, tls_context
from edge_agent.sync.paho_client import mend_paho
from edge_agent.sync.topics import PUBLISHED_AT
from edge_agent.sync.trouble import NO_ANSWER, Trouble, of_end, of_error, of_refusal
from heartline_backend.config import SharedBrokerConfig
from heartline_backend.consumers.base import Delivery, published_at
from heartline_backend.errors import BackendError
from heartline_backend.messages import shared_topics, status_topic

log = logging.getLogger(__name__)

_FOR_EVER = 0xFFFFFFFF  # session expiry interval (MQTT 5, section 3.1.2.11.2)

# What may be under way to a worker at once: two batches, so that one arrives while the other is committed.
RECEIVE_MAXIMUM = 1000

# The broker keeps larger packets to itself. What is larger than a summary may ever be, and no more, becomes a dead
# letter; a client that sends megabytes does not get them into this process's memory.
_MAX_PACKET_BYTES = 262_144

_KEEPALIVE_S = 30
_CONNECT_S = 10.0

# How long is waited for more once something is there: less than a commit takes.
_LINGER_S = 0.005

# A connection that lasted so long was a good one, and what ends it is news.
_STEADY_S = 10.0

# First and longest pause between attempts to connect; what only a person can mend is not tried more often than that.
_PAUSE_S = (1.0, 30.0)

_OLD = Trouble("it speaks no MQTT 5, whose shared subscriptions the workers need; see docs/backend.md", lasting=True)

# Brokers that give no reason end a connection so when another one comes by the same name, and the two take turns.
_SHORT = Trouble("it ends the connection at once; another worker of the group may have this number: see --worker")


class MqttConsumer:
    """Holds a connection in a thread of its own."""

    def __init__(self, config: SharedBrokerConfig, worker: int, random: Random, *, leaving: bool = False) -> None:
        """Prepare; nothing is sent before it is entered.

        Args:
            config: where the broker is, how to log in, and the group.
            worker: number of this worker, from 1; no other of its group has the same.
            random: spreads the attempts of several workers.
            leaving: whether it takes no new share but what waits for it, and has none any more when it is left.

        Raises:
            ConfigError: the password or a certificate cannot be used.
        """
        self._config = config
        self._client_id = f"{config.group}-{worker}"
        self._random = random
        self._leaving = leaving
        self._password = read_password(config)
        self._tls = tls_context(config) if config.tls else None
        mend_paho()
        self._arrived: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        self._connection: _Connection | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def __enter__(self) -> Self:
        """As `Consumer` has it."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `Consumer` has it."""
        self._stop.set()
        if connection := self._connection:
            connection.close(end_session=self._leaving and kind is None)
        self._thread.join(_CONNECT_S)

    @property
    def connected(self) -> bool:
        """As `Consumer` has it."""
        return self._connection is not None and self._connection.up

    def receive(self, most: int, wait_s: float) -> Sequence[Delivery]:
        """As `Consumer` has it.

        Raises:
            BackendError: what the broker sent has ended the connection's thread; the log has how.
        """
        if not self._thread.is_alive():
            msg = "the connection to the broker has failed in a way that it cannot mend; start the worker again"
            raise BackendError(msg)
        return [delivery for delivery in self._take(most, wait_s) if _receipt(delivery).connection.up]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """As `Consumer` has it."""
        for receipt in map(_receipt, deliveries):
            if receipt.connection.up:
                receipt.connection.client.ack(receipt.message_id, receipt.qos)

    def _take(self, most: int, wait_s: float) -> Iterator[Delivery]:
        with contextlib.suppress(queue.Empty):
            yield self._arrived.get(timeout=wait_s)
            until_s = time.monotonic() + _LINGER_S
            for _ in range(most - 1):
                yield self._arrived.get(timeout=max(until_s - time.monotonic(), 0.0))

    def _run(self) -> None:
        """Connect, again and again; in a thread of its own."""
        failures, said = 0, None
        while not self._stop.is_set():
            self._connection = connection = _Connection(
                self._new_client(), self._config, self._arrived, leaving=self._leaving
            )
            began_s = time.monotonic()
            trouble = connection.hold(self._stop)
            if self._stop.is_set():
                return
            if connection.welcome and time.monotonic() - began_s >= _STEADY_S:
                failures, said = 0, None
            elif connection.welcome and not trouble.lasting:
                trouble = _SHORT
            if trouble.text != said:
                log.warning("broker: %s; trying again", trouble.text)
                said = trouble.text
            pause_s = _PAUSE_S[1] if trouble.lasting else min(_PAUSE_S[0] * 2.0**failures, _PAUSE_S[1])
            failures = min(failures + 1, 16)
            self._stop.wait(pause_s * self._random.uniform(0.5, 1.0))

    def _new_client(self) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.connect_timeout = _CONNECT_S
        if self._config.username:
            client.username_pw_set(self._config.username, self._password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
            client.tls_insecure_set(not self._config.check_server_name)
        return client


class _Connection:
    """One connection, from the attempt to its end; all but what is read happens in the thread that holds it.

    Attributes:
        client: paho's.
        up: whether what came by it can be acknowledged by it.
        welcome: whether the broker has let it subscribe.
    """

    def __init__(
        self, client: mqtt.Client, config: SharedBrokerConfig, arrived: queue.SimpleQueue[Delivery], *, leaving: bool
    ) -> None:
        self.client = client
        self.up = False
        self.welcome = False
        self._config = config
        self._arrived = arrived
        self._leaving = leaving
        self._trouble: Trouble | None = None
        self._stop = threading.Event()
        self._filters = [f"$share/{config.group}/{topic}" for topic in shared_topics(config.topic_prefix)]
        self._filters.append(status_topic(config.topic_prefix))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        # Asked to write, paho writes at once, in whichever thread that is, unless it believes in a loop of somebody
        # else's; then it leaves that to the thread which holds the connection, and packets do not get mixed.
        client.on_socket_register_write = lambda _client, _data, _socket: None
        client.on_disconnect = self._on_disconnect

    def hold(self, stop: threading.Event) -> Trouble:
        """Connect, and return when the connection has ended; gives why."""
        self._stop = stop
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _FOR_EVER
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = _MAX_PACKET_BYTES
        config = self._config
        try:
            self.client.connect(config.host, config.port, _KEEPALIVE_S, clean_start=False, properties=properties)
            self.client.loop_forever()
        except OSError as error:
            return of_error(error)
        return self._trouble or NO_ANSWER

    def close(self, *, end_session: bool) -> None:
        """End it, and where asked for the worker's place at the broker, too; may be called from any thread."""
        properties = None
        if end_session:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
        self.client.disconnect(properties=properties)

    # paho's callbacks, with its signatures.

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            old = reason.getName() == "Unsupported protocol version"
            self._trouble = _OLD if old else of_refusal(reason)
        if reason.is_failure or self._stop.is_set():
            client.disconnect()
            return
        self.up = True  # before the first message
        if self._leaving:
            client.unsubscribe(self._filters)
        else:
            client.subscribe([(topic, SubscribeOptions(qos=1)) for topic in self._filters])

    def _on_subscribe(
        self,
        client: mqtt.Client,
        _data: object,
        _mid: int,
        reasons: list[ReasonCode],
        _more: object,
    ) -> None:
        answers = zip(self._filters, reasons, strict=True)
        if refused := [f"{topic} ({reason})" for topic, reason in answers if reason.is_failure]:
            text = f"it refuses to subscribe {', '.join(refused)}; allow it in the broker's access list"
            self._trouble = Trouble(text, lasting=True)
            client.disconnect()
        else:
            self.welcome = True
            log.info("broker: connected")

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        # Without acknowledgements nothing holds back who publishes with QoS 0.
        if message.qos or self._arrived.qsize() < RECEIVE_MAXIMUM:
            receipt = _Receipt(self, message.mid, message.qos)
            at = _published_at(message.properties)
            self._arrived.put(Delivery(message.topic, bytes(message.payload), receipt, at))

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        self.up = False
        self._trouble = self._trouble or of_end(reason)


@dataclass(frozen=True, slots=True)
class _Receipt:
    """Which message of which connection."""

    connection: _Connection
    message_id: int
    qos: int


def _receipt(delivery: Delivery) -> _Receipt:
    assert isinstance(delivery.receipt, _Receipt)  # noqa: S101 - ours
    return delivery.receipt


def _published_at(properties: Properties | None) -> datetime | None:
    said = [value for name, value in getattr(properties, "UserProperty", ()) if name == PUBLISHED_AT]
    return published_at(said[0]) if said else None
