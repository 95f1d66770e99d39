"""From a real broker into a store: nothing is acknowledged before it is kept, and what comes again changes nothing."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from heartline_backend.config import SharedBrokerConfig, StoreConfig
from heartline_backend.consumers.base import Delivery
from heartline_backend.consumers.mqtt import MqttConsumer
from heartline_backend.ingest import Worker
from heartline_backend.metrics import Metrics
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store
from tests.backend.samples import DEVICE, a_summary, an_event, delivery
from tests.mosquitto import free_port, mosquitto

KEEPS = "allow_anonymous true\nmax_queued_messages 0\n"


@contextlib.contextmanager
def worker(port: int, store: Store, number: int = 1) -> Iterator[Worker]:
    """A worker whose steps are made by the test; it has subscribed."""
    with MqttConsumer(SharedBrokerConfig("127.0.0.1", port), number, Random(1)) as consumer:  # noqa: S311
        while not consumer.connected:
            time.sleep(0.01)
        yield Worker(consumer, store, Metrics(), topic_prefix="heartline")


def publish(port: int, deliveries: Sequence[Delivery], *, retain: bool = False) -> None:
    """As a device would, until the broker has it all."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for sent in deliveries:
        client.publish(sent.topic, sent.payload, qos=1, retain=retain).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def step_until(done: Worker, count: int) -> None:
    until_s = time.monotonic() + 20
    while count > 0 and time.monotonic() < until_s:
        count -= done.step(threading.Event())
    assert count == 0


def test_what_devices_publish_is_kept(tmp_path: Path, store: Store) -> None:
    with mosquitto(tmp_path, settings=KEEPS) as port, worker(port, store) as one:
        summaries = [a_summary(athlete=f"a{n}") for n in range(20)]
        publish(port, [delivery(b"online", name="status")], retain=True)
        publish(port, [*map(delivery, summaries), delivery(an_event()), delivery(b"{")])
        step_until(one, 23)
    assert {str(s.session_id) for s in store.sessions()} == {s.session_id for s in summaries}
    assert [str(device.device) for device in store.devices() if device.online] == [DEVICE]
    assert [letter.payload for letter in store.dead_letters()] == [b"{"]


def test_two_workers_share_the_messages(tmp_path: Path, store_config: StoreConfig) -> None:
    with (
        open_store(store_config) as store,
        open_store(store_config) as same_store,
        mosquitto(tmp_path, settings=KEEPS) as port,
        worker(port, store) as one,
        worker(port, same_store, 2) as two,
    ):
        publish(port, [delivery(a_summary(athlete=f"a{n}")) for n in range(20)])
        step_until(one, 10)
        step_until(two, 10)
        assert len(list(store.sessions())) == 20


def test_what_was_not_acknowledged_comes_again_to_a_worker_that_comes_back(tmp_path: Path, store: Store) -> None:
    with mosquitto(tmp_path, settings=KEEPS) as port:
        with MqttConsumer(SharedBrokerConfig("127.0.0.1", port), 1, Random(1)) as consumer:  # noqa: S311
            while not consumer.connected:
                time.sleep(0.01)
            publish(port, [delivery(a_summary(athlete=f"a{n}")) for n in range(5)])
            assert len(consumer.receive(5, 10)) == 5
        publish(port, [delivery(a_summary(athlete=f"b{n}")) for n in range(5)])  # while it is away
        with worker(port, store) as again:
            step_until(again, 10)
    assert len(list(store.sessions())) == 10


def test_a_worker_waits_for_a_broker_that_is_away(tmp_path: Path, store: Store) -> None:
    port = free_port()
    with MqttConsumer(SharedBrokerConfig("127.0.0.1", port), 1, Random(1)) as consumer:  # noqa: S311
        time.sleep(0.1)
        assert not consumer.connected
        with mosquitto(tmp_path, port=port, settings=KEEPS):
            while not consumer.connected:
                time.sleep(0.01)
            publish(port, [delivery(a_summary())])
            step_until(Worker(consumer, store, Metrics(), topic_prefix="heartline"), 1)
    assert len(list(store.sessions())) == 1
