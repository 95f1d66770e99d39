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
from heartline_backend.config import BackendConfig, MetricsConfig
from heartline_backend.consumers.mqtt import MqttConsumer
from heartline_backend.errors import BackendError, StoreAwayError
from heartline_backend.ingest import Worker
from heartline_backend.metrics import Metrics
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store

log = logging.getLogger(__name__)

# While the database starts, after a power cut for one.
_STORE_PAUSE_S = 2.0


def run_until_signalled(config: BackendConfig, *, worker: int) -> None:
    """Take in messages until SIGTERM or SIGINT; the batch in hand is finished first.

    Args:
        config: all of it.
        worker: number of this worker, from 1; no other of its group has the same.

    Raises:
        ConfigError: it names no broker, or one that cannot be used.
        BackendError: the store cannot be used, or the port of the metrics is taken.
    """
    if config.broker is None:
        msg = "a worker needs a [broker] in the configuration; see docs/backend.md"
        raise ConfigError(msg)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    consumer = MqttConsumer(config.broker, worker, SystemRandom())
    metrics = Metrics()
    metrics.connected.set_function(lambda: consumer.connected)
    with _shown(metrics, config.metrics, worker):
        store = _opened(config, stop)
        if store is None:
            return
        with store, consumer:
            log.info("worker %d of %s: taking in what devices publish", worker, config.broker.group)
            Worker(consumer, store, metrics, topic_prefix=config.broker.topic_prefix).run(stop)
    log.info("worker %d: stopped", worker)


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
