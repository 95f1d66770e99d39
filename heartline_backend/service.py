"""A worker as a service: its store, its consumer and its metrics, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from random import SystemRandom

from prometheus_client import start_http_server

from edge_agent.errors import ConfigError
from heartline_backend.config import BackendConfig, MetricsConfig, RabbitMqConfig, SharedBrokerConfig
from heartline_backend.consumers.base import Consumer
from heartline_backend.consumers.mqtt import MqttConsumer
from heartline_backend.consumers.rabbitmq import RabbitMqConsumer
from heartline_backend.errors import BackendError, StoreAwayError
from heartline_backend.ingest import Worker
from heartline_backend.metrics import Metrics
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store

log = logging.getLogger(__name__)

# While the database starts, after a power cut for one.
_STORE_PAUSE_S = 2.0

# A worker that leaves has taken in all that waited for it when nothing has come for so many looks of half a second.
_QUIET_LOOKS = 3


def run_until_signalled(config: BackendConfig, *, worker: int) -> None:
    """Take in messages until SIGTERM or SIGINT; the batch in hand is finished first.

    Args:
        config: all of it.
        worker: number of this worker, from 1; no other of its group has the same.

    Raises:
        ConfigError: it names no broker, or one that cannot be used.
        BackendError: the store cannot be used, or the port of the metrics is taken.
    """
    broker = _broker(config)
    stop = _stop_when_signalled()
    consumer: Consumer = (
        RabbitMqConsumer(broker, SystemRandom())
        if isinstance(broker, RabbitMqConfig)
        else MqttConsumer(broker, worker, SystemRandom())
    )
    metrics = Metrics()
    metrics.connected.set_function(lambda: consumer.connected)
    with _shown(metrics, config.metrics, worker):
        store = _opened(config, stop)
        if store is None:
            return
        with store, consumer:
            log.info("worker %d: takes in what devices publish", worker)
            Worker(consumer, store, metrics, topic_prefix=broker.topic_prefix).run(stop)
    log.info("worker %d: stopped", worker)


def leave(config: BackendConfig, *, worker: int) -> int:
    """Take in what the broker holds for a worker, then give up its place; gives how many messages that were.

    Args:
        config: all of it.
        worker: number of the worker, which does not run.

    Raises:
        ConfigError: it names no broker, or one that cannot be used.
        BackendError: the store cannot be used, or it was stopped before all was taken in.
    """
    broker = _broker(config)
    if isinstance(broker, RabbitMqConfig):
        msg = "at a RabbitMQ cluster nothing is held for one worker alone; stop it, and the others go on"
        raise ConfigError(msg)
    stop = _stop_when_signalled()
    taken = quiet = 0
    with open_store(config.store) as store, MqttConsumer(broker, worker, SystemRandom(), leaving=True) as consumer:
        leaving = Worker(consumer, store, Metrics(), topic_prefix=broker.topic_prefix)
        while quiet < _QUIET_LOOKS:
            count = leaving.step(stop)
            if stop.is_set():
                msg = f"stopped; worker {worker} keeps its place, and what still waits for it"
                raise BackendError(msg)
            taken += count
            quiet = 0 if count or not consumer.connected else quiet + 1
    return taken


def _broker(config: BackendConfig) -> SharedBrokerConfig | RabbitMqConfig:
    broker = config.broker or config.rabbitmq
    if broker is None:
        msg = "a worker needs a [broker] or [rabbitmq] in the configuration; see docs/backend.md"
        raise ConfigError(msg)
    return broker


def _stop_when_signalled() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def _opened(config: BackendConfig, stop: threading.Event) -> Store | None:
    """The store, as soon as it answers; None when told to stop before that."""
    said = None
    while not stop.is_set():
        try:
            return open_store(config.store)
        except StoreAwayError as error:
            if str(error) != said:
                said = str(error)
                log.warning("store: %s; trying again", error)
            stop.wait(_STORE_PAUSE_S)
    return None


@contextmanager
def _shown(metrics: Metrics, config: MetricsConfig, worker: int) -> Iterator[None]:
    port = config.port + worker - 1
    try:
        server, thread = start_http_server(port, config.host, metrics.registry)
    except OSError as error:
        msg = f"metrics cannot be shown at {config.host}:{port} ({error.strerror}); name another port in [metrics]"
        raise BackendError(msg) from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
