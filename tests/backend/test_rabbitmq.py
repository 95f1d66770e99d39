"""From devices to the store by way of a real RabbitMQ cluster of three nodes, of which one dies."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from edge_agent.errors import ConfigError
from heartline_backend.config import RabbitMqConfig, StoreConfig, load_config
from heartline_backend.consumers.rabbitmq import RabbitMqConsumer
from heartline_backend.ingest import Worker
from heartline_backend.metrics import Metrics
from heartline_backend.store.open import open_store
from tests.backend.samples import DEVICE, a_summary, delivery
from tests.backend.test_worker import publish
from tests.load.devices import Order, devices, log_in
from tests.rabbitmq import PASSWORD, USER, Node, rabbitmq_cluster

logging.getLogger("pika").setLevel(logging.CRITICAL)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with rabbitmq_cluster(tmp_path_factory.mktemp("rabbitmq")) as nodes:
        yield nodes


@pytest.fixture
def config(cluster: list[Node], monkeypatch: pytest.MonkeyPatch) -> RabbitMqConfig:
    monkeypatch.setenv("HEARTLINE_MQTT_PASSWORD", PASSWORD)
    first, *others = (node.amqp_port for node in cluster)
    return RabbitMqConfig("127.0.0.1", first, username=USER, other_nodes=tuple(f"127.0.0.1:{port}" for port in others))


def a_consumer(config: RabbitMqConfig) -> RabbitMqConsumer:
    return RabbitMqConsumer(config, Random(3))  # noqa: S311 - begins at the first node


def test_what_was_not_acknowledged_comes_again_to_another_worker(cluster: list[Node], config: RabbitMqConfig) -> None:
    sent = [delivery(a_summary(athlete=f"a{n}")) for n in range(3)] + [delivery(b"online", name="status")]
    with a_consumer(config) as one:
        assert not one.receive(10, 0.1)  # the queues are there from here on
        assert one.connected
        publish(cluster[1].mqtt_port, sent, username=USER, password=PASSWORD)
        got = [found for _ in range(4) for found in one.receive(1, 5)]
        assert [(d.topic, d.payload) for d in got if "status" not in d.topic] == [
            (d.topic, d.payload) for d in sent if "status" not in d.topic
        ]
        one.acknowledge([d for d in got if d.payload == sent[1].payload])
    assert not one.connected
    with a_consumer(config) as two:
        two.acknowledge(got)  # of a connection that is gone: passed over
        again = [found for _ in range(3) for found in two.receive(1, 5)]
        assert {d.payload for d in again} == {sent[0].payload, sent[2].payload, b"online"}
        two.acknowledge(again)
        assert not two.receive(10, 0.5)


def test_a_wrong_password_is_said_once_and_tried_at_the_other_nodes(
    config: RabbitMqConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HEARTLINE_MQTT_PASSWORD", "wrong")
    with a_consumer(config) as refused:
        for _ in range(3):
            assert not refused.receive(10, 0.1)
    assert len(caplog.messages) == 3  # once for each node
    assert all("it refuses this user; check `username` and the password" in said for said in caplog.messages)


def test_no_message_is_lost_or_kept_twice_when_a_node_is_killed(
    cluster: list[Node], config: RabbitMqConfig, tmp_path: Path
) -> None:
    stop, deadline = threading.Event(), time.monotonic() + 60
    with open_store(StoreConfig(file=tmp_path / "backend.sqlite3")) as store, a_consumer(config) as consumer:
        worker = Worker(consumer, store, Metrics(), topic_prefix="heartline")
        worker.step(stop)  # connects to the first node
        ports = [node.mqtt_port for node in cluster]
        order = Order(ports, 4, USER, PASSWORD, devices=30, sessions=6, over_s=3.0, seed=1)
        with devices(order, tmp_path) as process:
            kept = 0
            while kept < 150:
                kept += worker.step(stop)
                assert time.monotonic() < deadline
            cluster[0].kill()
            while process.poll() is None:
                worker.step(stop)
                assert time.monotonic() < deadline
        log = log_in(tmp_path)
        while worker.step(stop):
            pass
        newest = {(s.device, s.id): s.revision for s in sorted(log.sent, key=lambda s: s.revision)}
        sessions = {(str(s.device), str(s.session_id)): s.revision for s in store.sessions()}
        assert sessions == {key: newest[key] for key in ((s.device, s.id) for s in log.sent if s.kind == "summary")}
        assert store.dead_letters() == []
    assert log.broken > 0  # devices were connected to the node


def test_a_configuration_names_one_way_in(tmp_path: Path) -> None:
    file = tmp_path / "backend.toml"
    file.write_text('[broker]\nhost = "a"\n[rabbitmq]\nhost = "b"\n')
    with pytest.raises(ConfigError, match=r"\[broker\] and \[rabbitmq\]: name the one that devices publish to"):
        load_config(file)


def test_the_device_of_a_status_is_known(cluster: list[Node], config: RabbitMqConfig, tmp_path: Path) -> None:
    with open_store(StoreConfig(file=tmp_path / "backend.sqlite3")) as store, a_consumer(config) as consumer:
        worker = Worker(consumer, store, Metrics(), topic_prefix="heartline")
        worker.step(threading.Event())
        publish(cluster[2].mqtt_port, [delivery(b"online", name="status")], username=USER, password=PASSWORD)
        while not worker.step(threading.Event()):
            pass
        assert [str(device.device) for device in store.devices() if device.online] == [DEVICE]
