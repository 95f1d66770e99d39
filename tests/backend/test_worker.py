"""From a real broker into a store: nothing is acknowledged before it is kept, and what comes again changes nothing."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Self

import paho.mqtt.client as mqtt
import psycopg
import pytest
import trustme
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from prometheus_client import generate_latest

from edge_agent.store.identifiers import uuid7
from edge_agent.sync.topics import PUBLISHED_AT
from heartline_backend.config import SharedBrokerConfig, StoreConfig
from heartline_backend.consumers.base import Delivery
from heartline_backend.consumers.mqtt import MqttConsumer
from heartline_backend.errors import StoreRefusedError
from heartline_backend.ingest import Worker, retry_dead_letters
from heartline_backend.messages import Message, SessionMessage
from heartline_backend.metrics import Metrics
from heartline_backend.store.open import open_store
from heartline_backend.store.rows import DeadLetter
from heartline_backend.store.store import Outcome, Store
from tests.backend.samples import DEVICE, NOON, a_summary, a_tombstone, an_event, delivery
from tests.mosquitto import free_port, mosquitto
from tests.postgresql import emptied
from tests.sync.test_connection import ca_file, tls_settings

KEEPS = "allow_anonymous true\nmax_queued_messages 0\n"


@contextlib.contextmanager
def worker(port: int, store: Store, number: int = 1, metrics: Metrics | None = None) -> Iterator[Worker]:
    """A worker whose steps are made by the test; it has subscribed."""
    with MqttConsumer(SharedBrokerConfig("127.0.0.1", port), number, Random(1)) as consumer:  # noqa: S311
        while not consumer.connected:
            time.sleep(0.01)
        yield Worker(consumer, store, metrics or Metrics(), topic_prefix="heartline")


def publish(
    port: int, deliveries: Sequence[Delivery], *, retain: bool = False, username: str | None = None, password: str = ""
) -> None:
    """As a device would, until the broker has it all."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.username_pw_set(username, password)
    client.connect("127.0.0.1", port)
    client.loop_start()
    for sent in deliveries:
        client.publish(sent.topic, sent.payload, qos=1, retain=retain).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()


def wait_for(condition: Callable[[], bool]) -> None:
    until_s = time.monotonic() + 20
    while not condition() and time.monotonic() < until_s:
        time.sleep(0.02)
    assert condition()


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


def test_what_was_not_acknowledged_comes_again_to_a_worker_that_comes_back(tmp_path: Path, file_store: Store) -> None:
    with mosquitto(tmp_path, settings=KEEPS) as port:
        with MqttConsumer(SharedBrokerConfig("127.0.0.1", port), 1, Random(1)) as consumer:  # noqa: S311
            while not consumer.connected:
                time.sleep(0.01)
            publish(port, [delivery(a_summary(athlete=f"a{n}")) for n in range(5)])
            assert len(consumer.receive(5, 10)) == 5
        publish(port, [delivery(a_summary(athlete=f"b{n}")) for n in range(5)])  # while it is away
        with worker(port, file_store) as again:
            step_until(again, 10)
    assert len(list(file_store.sessions())) == 10


def test_a_worker_waits_for_a_broker_that_is_away(tmp_path: Path, file_store: Store) -> None:
    port = free_port()
    with MqttConsumer(SharedBrokerConfig("127.0.0.1", port), 1, Random(1)) as consumer:  # noqa: S311
        time.sleep(0.1)
        assert not consumer.connected
        with mosquitto(tmp_path, port=port, settings=KEEPS):
            while not consumer.connected:
                time.sleep(0.01)
            publish(port, [delivery(a_summary())])
            step_until(Worker(consumer, file_store, Metrics(), topic_prefix="heartline"), 1)
    assert len(list(file_store.sessions())) == 1


def test_a_text_that_paho_cannot_read_does_not_silence_a_worker(tmp_path: Path, file_store: Store) -> None:
    """U+FEFF in a property, which brokers pass on; the message would come again and again."""
    with mosquitto(tmp_path, settings=KEEPS) as port, worker(port, file_store) as one:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.UserProperty = [("\ufeff", "\ufeff"), (PUBLISHED_AT, "\ufeff")]
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.connect("127.0.0.1", port)
        client.loop_start()
        sent = delivery(a_summary())
        client.publish(sent.topic, sent.payload, qos=1, properties=properties).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()
        step_until(one, 1)
    assert len(list(file_store.sessions())) == 1


class Handed:
    """A consumer that was handed some deliveries."""

    connected = True

    def __init__(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged: list[Delivery] = []
        self._deliveries = deliveries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def receive(self, _most: int, _wait_s: float) -> Sequence[Delivery]:
        return self._deliveries

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self.acknowledged += deliveries


def test_a_message_that_the_database_refuses_becomes_a_dead_letter_and_the_others_are_kept(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is known that gets so far; should there be one, it may not come again for ever."""
    keep = store.keep

    def keep_but_one(messages: Sequence[Message], letters: Sequence[DeadLetter], now: datetime) -> Outcome:
        if any(isinstance(message, SessionMessage) and message.athlete == "a3" for message in messages):
            reason = "the store does not take it"
            raise StoreRefusedError(reason)
        return keep(messages, letters, now)

    monkeypatch.setattr(store, "keep", keep_but_one)
    handed = Handed([*(delivery(a_summary(athlete=f"a{n}")) for n in range(5)), delivery(b"{")])
    Worker(handed, store, Metrics(), topic_prefix="heartline").step(threading.Event())
    assert {session.athlete for session in store.sessions()} == {"a0", "a1", "a2", "a4"}
    letters = {letter.reason: letter for letter in store.dead_letters()}
    assert b'"a3"' in letters["the store does not take it"].payload
    assert len(letters) == 2
    assert len(handed.acknowledged) == 6


@pytest.mark.parametrize(
    "topic", ["", "a\0b", "heartline/\udc80/session", "/" * 500, "\u202e", f"heartline/{DEVICE}/x\n"]
)
def test_whatever_the_topic_it_becomes_a_dead_letter(store: Store, topic: str) -> None:
    handed = Handed([Delivery(topic, b"\xff\x00", None)])
    Worker(handed, store, Metrics(), topic_prefix="heartline").step(threading.Event())
    (letter,) = store.dead_letters()
    assert letter.topic.isprintable()
    assert letter.payload == b"\xff\x00"


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
def test_a_worker_comes_to_an_encrypted_broker_that_it_trusts_and_to_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = trustme.CA()
    settings = f"{KEEPS}{tls_settings(tmp_path, authority.issue_cert('localhost'))}"
    with mosquitto(tmp_path, settings=settings) as port:
        for trusted, comes in ((trustme.CA(), False), (authority, True)):
            caplog.clear()
            config = SharedBrokerConfig("localhost", port, tls=True, ca_file=ca_file(tmp_path, trusted))
            with MqttConsumer(config, 1, Random(1)) as consumer:  # noqa: S311
                wait_for(lambda: consumer.connected or "name the authority in `ca_file`" in caplog.text)
                assert consumer.connected == comes


def test_two_workers_of_one_number_are_told_so(
    tmp_path: Path, file_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with mosquitto(tmp_path, settings=KEEPS) as port, worker(port, file_store), worker(port, file_store):
        wait_for(lambda: "see --worker" in caplog.text)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        # CONNACK of 3.1.1, unacceptable protocol version
        ("20020001", "it speaks no MQTT 5"),
        # CONNACK, and a SUBACK for four filters: not authorized (MQTT 5, section 3.9.3)
        ("2003000000 9007000100 87878787", "allow it in the broker's access list"),
    ],
)
def test_a_broker_that_does_not_let_a_worker_subscribe_is_named(
    answers: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    def answer() -> None:
        with broker.accept()[0] as connection:
            connection.sendall(bytes.fromhex(answers))
            while connection.recv(1000):
                pass

    with socket.create_server(("127.0.0.1", 0)) as broker:
        answering = threading.Thread(target=answer)
        answering.start()
        with MqttConsumer(SharedBrokerConfig("127.0.0.1", broker.getsockname()[1]), 1, Random(1)):  # noqa: S311
            wait_for(lambda: said in caplog.text)
        answering.join()


def test_a_worker_that_leaves_takes_in_what_waits_for_it_and_has_no_share_any_more(
    tmp_path: Path, file_store: Store
) -> None:
    with mosquitto(tmp_path, settings=KEEPS) as port, worker(port, file_store) as one:
        with worker(port, file_store, 2):
            pass
        publish(port, [delivery(a_summary(athlete=f"a{n}")) for n in range(20)])
        step_until(one, 10)
        file = tmp_path / "backend.toml"
        file.write_text(f'store.file = "left.sqlite3"\n[broker]\nhost = "127.0.0.1"\nport = {port}\n')
        leaving = [sys.executable, "-m", "heartline_backend.cli", "leave", "--worker", "2", "--config", str(file)]
        said = subprocess.run(leaving, check=True, capture_output=True, text=True).stdout
        assert said == "worker 2 has left its group; messages that waited for it: 10\n"
        publish(port, [delivery(a_summary(athlete=f"b{n}")) for n in range(20)])
        step_until(one, 20)


def test_while_the_store_is_away_nothing_is_acknowledged_and_nothing_is_lost(
    tmp_path: Path, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    conninfo = emptied(server)
    with (
        open_store(StoreConfig(postgresql=conninfo)) as store,
        mosquitto(tmp_path, settings=KEEPS) as port,
        worker(port, store) as one,
    ):
        caplog.set_level(logging.INFO)
        publish(port, [delivery(a_summary())])
        with psycopg.connect(conninfo, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        step_until(one, 1)
        assert "trying again" in caplog.text
        assert "answers again" in caplog.text
        assert len(list(store.sessions())) == 1


def test_what_a_newer_backend_can_keep_is_kept_from_the_dead_letters(store: Store) -> None:
    topic = delivery(a_summary()).topic
    letters = [
        DeadLetter(uuid7(NOON), NOON, None, topic, "schema 9", len(payload) + missing, payload)
        for payload, missing in ((delivery(a_summary()).payload, 0), (b"{", 0), (delivery(a_summary()).payload, 1))
    ]
    store.keep([], letters, NOON)
    assert retry_dead_letters(store, "heartline", NOON) == 1
    assert len(list(store.sessions())) == 1
    assert {letter.letter_id for letter in store.dead_letters()} == {letter.letter_id for letter in letters[1:]}


def test_what_is_counted_is_what_became_of_the_messages(tmp_path: Path, file_store: Store) -> None:
    metrics = Metrics()
    with mosquitto(tmp_path, settings=KEEPS) as port, worker(port, file_store, metrics=metrics) as one:
        session = delivery(a_summary())
        publish(port, [session, session, delivery(a_tombstone()), session, delivery(b"{"), delivery(an_event())])
        step_until(one, 6)
        shown = generate_latest(metrics.registry).decode()
    counted = {line.split(" ")[0]: float(line.split(" ")[1]) for line in shown.splitlines() if line[0] != "#"}
    assert counted['heartline_messages_received_total{kind="session"}'] == 4
    assert counted["heartline_dead_letters_total"] == 1
    assert counted["heartline_batch_seconds_count"] >= 1
    rest = {name: counted[f"heartline_messages_{name}_total"] for name in ("kept", "repeated", "forgotten")}
    assert sum(rest.values()) == 5
    assert rest["forgotten"] >= 2  # all of them in one batch, or the first ones before the tombstone
