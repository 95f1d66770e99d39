"""Messages from a quorum queue of a RabbitMQ cluster, whose MQTT plug-in takes the devices in.

RabbitMQ's MQTT has no shared subscriptions; but what devices publish reaches a topic exchange, and one queue bound to
it shares its messages out among as many workers as consume from it. A device is told that its message is taken when a
majority of the nodes has it. When the node dies that a worker is connected to, the worker goes on at another one.

A device's status has a queue of its own that one worker at a time consumes from: the last message counts, and among
several workers nobody could tell which was last.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Self

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException, AMQPConnectorStackTimeout
from pika.exceptions import (
    AMQPError,
    ChannelClosedByBroker,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)
from pika.spec import Basic, BasicProperties

from edge_agent.broker import read_password, tls_context
from edge_agent.sync.topics import PUBLISHED_AT
from edge_agent.sync.trouble import of_error
from heartline_backend.config import RabbitMqConfig
from heartline_backend.consumers.base import Delivery, published_at
from heartline_backend.messages import shared_topics, status_topic

log = logging.getLogger(__name__)

# Where the MQTT plug-in publishes what devices send, unless its `mqtt.exchange` says otherwise.
EXCHANGE = "amq.topic"

# What a worker is sent ahead of its acknowledgements: several batches, so that it never waits for the network.
_PREFETCH = 1000

# A worker that is cut off in a batch says nothing against the message. RabbitMQ 4 drops one that came back 20 times
# unless the queue has a limit of its own; nothing may be dropped, and 3.10 knows no other way to say so.
_DELIVERIES = 2**31 - 1

_CONNECT_S = 5.0  # for TCP, and as long again for the handshakes
_HEARTBEAT_S = 30  # a node that vanished without a word is given up after twice this

# First and longest pause after none of the nodes could be used.
_PAUSES_S = (1.0, 30.0)

_PRECONDITION_FAILED, _ACCESS_REFUSED = 406, 403

# What pika raises for a connection that cannot be made or is gone; its connector's errors are no AMQPErrors.
_BROKEN = (AMQPError, AMQPConnectorException, OSError)


@dataclass(frozen=True, slots=True)
class _Receipt:
    """By which a message is acknowledged: a number that counts for the channel it came by."""

    channel: BlockingChannel
    tag: int


class RabbitMqConsumer:
    """One worker's share of the queue, and the devices' status while it is the one that has it."""

    def __init__(self, config: RabbitMqConfig, random: Random) -> None:
        """Prepare; nothing is connected before the first `receive`.

        Args:
            config: where the cluster is, and how to log in.
            random: spreads workers over the nodes, and their attempts over time.

        Raises:
            ConfigError: the password or a certificate cannot be used.
        """
        # What pika says in a traceback is said here in a sentence.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self._config = config
        self._random = random
        self._nodes = _nodes(config)
        self._next_node = random.randrange(len(self._nodes))
        self._failures = 0
        self._not_before_s = 0.0
        self._said: str | None = None
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._arrived: deque[Delivery] = deque()
        self._open: set[int] = set()  # tags of the channel that are not acknowledged

    def __enter__(self) -> Self:
        """As `Consumer` has it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """As `Consumer` has it; the queues stay."""
        self._let_go()

    @property
    def connected(self) -> bool:
        """As `Consumer` has it."""
        return self._channel is not None

    def receive(self, most: int, wait_s: float) -> Sequence[Delivery]:
        """As `Consumer` has it."""
        end_s = time.monotonic() + wait_s
        try:
            if self._channel is None and not self._connect(wait_s):
                return []
            while not self._arrived and (left_s := end_s - time.monotonic()) > 0:
                self._take_in(left_s)
            self._take_in(0)
        except _BROKEN as error:
            self._lost(error)
        return [self._arrived.popleft() for _ in range(min(most, len(self._arrived)))]

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """As `Consumer` has it."""
        receipts = [delivery.receipt for delivery in deliveries]
        tags = {r.tag for r in receipts if isinstance(r, _Receipt) and r.channel is self._channel} & self._open
        if not tags or self._channel is None:
            return
        self._open -= tags
        # One word for all that nothing earlier is missing from, which is all of them when they are kept in order.
        first_open = min(self._open, default=max(tags) + 1)
        together = {tag for tag in tags if tag < first_open}
        try:
            if together:
                self._channel.basic_ack(max(together), multiple=True)
            for tag in tags - together:
                self._channel.basic_ack(tag)
        except _BROKEN as error:
            self._lost(error)

    def _take_in(self, wait_s: float) -> None:
        """Wait for what comes; the callbacks put it into `_arrived`."""
        assert self._connection is not None  # noqa: S101 - for mypy
        assert self._channel is not None  # noqa: S101
        self._connection.process_data_events(time_limit=wait_s)
        if not self._channel.is_open:  # the connection does not say so by itself
            raise ChannelClosedByBroker(0, "the channel was closed")

    def _connect(self, wait_s: float) -> bool:
        """Try the next node, unless it is too early; whether there is a connection."""
        pause_s = self._not_before_s - time.monotonic()
        if pause_s > 0:
            time.sleep(min(pause_s, wait_s))
            if pause_s > wait_s:
                return False
        self._connection = pika.BlockingConnection(self._nodes[self._next_node])
        channel = self._connection.channel()
        self._declare(channel)
        channel.basic_qos(prefetch_count=_PREFETCH)
        for queue in (self._config.queue, self._status_queue):
            channel.basic_consume(queue, self._on_message)
        channel.add_on_cancel_callback(lambda _cancelled: channel.close())
        self._channel = channel
        self._failures, self._said = 0, None
        log.info("RabbitMQ: consuming from %s", self._where)
        return True

    def _declare(self, channel: BlockingChannel) -> None:
        """Have the queues there, which outlive every worker."""
        kept = {"x-queue-type": "quorum", "x-delivery-limit": _DELIVERIES}
        prefix = self._config.topic_prefix
        one_worker = {**kept, "x-single-active-consumer": True}
        for queue, arguments, topics in (
            (self._config.queue, kept, shared_topics(prefix)),
            (self._status_queue, one_worker, [status_topic(prefix)]),
        ):
            channel.queue_declare(queue, durable=True, arguments=arguments)
            for topic in topics:
                channel.queue_bind(queue, EXCHANGE, _swapped(topic).replace("+", "*"))

    def _on_message(
        self, channel: BlockingChannel, method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        tag = method.delivery_tag
        self._open.add(tag)
        # From version 4 on, which speaks MQTT 5, the plug-in makes headers of user properties.
        at = published_at((properties.headers or {}).get(PUBLISHED_AT))
        self._arrived.append(Delivery(_swapped(method.routing_key), body, _Receipt(channel, tag), at))

    def _lost(self, error: Exception) -> None:
        """Go on at the next node; after all of them, a little later."""
        text = f"{self._where}: {_sentence(error, self._config)}"
        if text != self._said:
            log.warning("RabbitMQ: %s; trying again", text)
            self._said = text
        self._let_go()
        self._next_node = (self._next_node + 1) % len(self._nodes)
        self._failures += 1
        rounds, rest = divmod(self._failures, len(self._nodes))
        if rest == 0:
            first_s, most_s = _PAUSES_S
            pause_s = min(first_s * 2.0 ** min(rounds - 1, 16), most_s)
            self._not_before_s = time.monotonic() + pause_s * self._random.uniform(0.5, 1.0)

    def _let_go(self) -> None:
        """Close what is open; what was not acknowledged comes again, to another connection."""
        connection, self._connection, self._channel = self._connection, None, None
        self._arrived.clear()
        self._open.clear()
        try:
            if connection is not None and connection.is_open:
                connection.close()
        except _BROKEN as error:
            log.debug("RabbitMQ: while closing: %r", error)

    @property
    def _status_queue(self) -> str:
        return f"{self._config.queue}.status"

    @property
    def _where(self) -> str:
        node = self._nodes[self._next_node]
        return f"{node.host}:{node.port}"


def _nodes(config: RabbitMqConfig) -> list[pika.ConnectionParameters]:
    context = tls_context(config) if config.tls else None
    if context is not None and not config.check_server_name:
        context.check_hostname = False
    credentials = pika.PlainCredentials(config.username or "guest", read_password(config) or "guest")
    places = [(config.host, str(config.port))]
    places += [(host, port or str(config.port)) for host, _, port in (n.partition(":") for n in config.other_nodes)]
    return [
        pika.ConnectionParameters(
            host=host,
            port=int(port),
            virtual_host=config.virtual_host,
            credentials=credentials,
            ssl_options=pika.SSLOptions(context, host) if context is not None else None,
            heartbeat=_HEARTBEAT_S,
            connection_attempts=1,
            socket_timeout=_CONNECT_S,
            stack_timeout=2 * _CONNECT_S,
            client_properties={"connection_name": "heartline-backend"},
        )
        for host, port in places
    ]


def _swapped(name: str) -> str:
    """A topic's routing key, and the other way round: the MQTT plug-in swaps slashes and dots."""
    return name.translate(str.maketrans("/.", "./"))


def _sentence(error: Exception, config: RabbitMqConfig) -> str:
    """What is wrong, and the remedy."""
    cause = _cause(error)
    match cause:
        case ProbableAuthenticationError():
            text = "it refuses this user; check `username` and the password"
        case ProbableAccessDeniedError():
            text = (
                f"this user may not use the virtual host {config.virtual_host!r}; check it and the user's permissions"
            )
        case ChannelClosedByBroker(reply_code=code, reply_text=said) if code == _ACCESS_REFUSED:
            text = f"this user may not configure, write or read {config.queue!r} ({said}); permit it"
        case ChannelClosedByBroker(reply_code=code) if code == _PRECONDITION_FAILED:
            text = f"there is another kind of queue called {config.queue!r}; choose another `queue`, or delete that one"
        case AMQPConnectorStackTimeout() | IncompatibleProtocolError():
            text = "it gives no answer of AMQP; check that it runs, that `port` is not the one of MQTT, and `tls`"
        case OSError():
            text = of_error(cause).text
        case _:
            text = f"the connection was lost ({cause})"
    return text


def _cause(error: Exception) -> Exception:
    """What is at the bottom of pika's nested errors."""
    inner = getattr(error, "exception", None) or next(iter(error.args), None)
    return _cause(inner) if isinstance(inner, Exception) else error
