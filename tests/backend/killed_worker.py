"""A worker that is killed in a state of its choice: `python -m tests.backend.killed_worker STATE PORT STORE`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import NoReturn

from heartline_backend.config import SharedBrokerConfig, StoreConfig
from heartline_backend.consumers.base import Delivery
from heartline_backend.consumers.mqtt import MqttConsumer
from heartline_backend.ingest import Worker
from heartline_backend.metrics import Metrics
from heartline_backend.store.database import Value
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store

STATES = ("received", "written", "committed", "half acknowledged")


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def _die_after_writing(store: Store) -> None:
    """In the transaction, when all of the batch is written and nothing is committed."""
    write = store._db.execute_many  # noqa: SLF001 - where a kill hurts most

    def write_and_die(sql: str, rows: Sequence[Sequence[Value]]) -> int:
        write(sql, rows)
        _die()

    store._db.execute_many = write_and_die  # type: ignore[method-assign]  # noqa: SLF001


class _KilledConsumer(MqttConsumer):
    state = ""

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if self.state == "half acknowledged":
            super().acknowledge(deliveries[: len(deliveries) // 2])
            time.sleep(0.2)  # paho's thread has sent them
        _die()


def main() -> None:
    state, port, where = sys.argv[1:]
    config = StoreConfig(postgresql=where) if where.startswith("host=") else StoreConfig(file=Path(where))
    with (
        open_store(config) as store,
        _KilledConsumer(SharedBrokerConfig("127.0.0.1", int(port)), 1, Random(1)) as consumer,  # noqa: S311
    ):
        consumer.state = state
        if state == "written":
            _die_after_writing(store)
        if state == "received":
            while not consumer.receive(500, 1):
                pass
            _die()
        Worker(consumer, store, Metrics(), topic_prefix="heartline").run(threading.Event())


if __name__ == "__main__":
    main()
