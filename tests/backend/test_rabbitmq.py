"""From devices to the store by way of a real RabbitMQ cluster of three nodes, of which one dies."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec
import pika
import pytest
from msgspec.structs import replace

from edge_agent.config import MqttConfig
from edge_agent.errors import ConfigError
from edge_agent.store.messages import Kind
from edge_agent.sync.connection import Connection
from edge_agent.sync.topics import ONLINE, PUBLISHED_AT, Topics
from heartline_backend.config import RabbitMqConfig, StoreConfig, load_config
from heartline_backend.consumers import rabbitmq
from heartline_backend.consumers.rabbitmq import RabbitMqConsumer
from heartline_backend.ingest import Worker
from heartline_backend.metrics import Metrics
from heartline_backend.store.open import open_store
from tests.backend.samples import DEVICE, a_summary, delivery
from tests.backend.test_worker import publish
from tests.load.devices import Order, devices, log_in
from tests.rabbitmq import PASSWORD, USER, Node, rabbitmq_cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Node]]:
    with rabbitmq_cluster(tmp_path_factory.mktemp("rabbitmq")) as nodes:
        yield nodes


@pytest.fixture
def config(cluster: list[Node], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> RabbitMqConfig:
    """A queue of the test's own."""
    monkeypatch.setenv("HEARTLINE_MQTT_PASSWORD", PASSWORD)
    first, *others = (node.amqp_port for node in cluster)
    others_named = tuple(f"127.0.0.1:{port}" for port in others)
    return RabbitMqConfig("127.0.0.1", first, username=USER, other_nodes=others_named, queue=request.node.name)


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


async def test_the_agent_falls_back_to_the_mqtt_that_the_cluster_speaks(
    cluster: list[Node], config: RabbitMqConfig
) -> None:
    mqtt = MqttConfig("127.0.0.1", cluster[2].mqtt_port, username=USER)  # the password is in the environment
    topics = Topics("heartline", DEVICE)
    agent = Connection(mqtt, topics, Random(1))  # noqa: S311 - of pauses
    with a_consumer(config) as consumer:
        assert not consumer.receive(10, 0.1)
        running = asyncio.create_task(agent.run())
        await asyncio.wait_for(agent.connected(), 30)
        await agent.publish(topics.of(Kind.SUMMARY), msgspec.json.encode(a_summary()))
        arrived = [found for _ in range(2) for found in await asyncio.to_thread(consumer.receive, 1, 5)]
        assert [d.topic for d in arrived if d.payload != ONLINE] == [topics.of(Kind.SUMMARY)]
        assert [d.topic for d in arrived if d.payload == ONLINE] == [topics.status]
        consumer.acknowledge(arrived)
        running.cancel()
        await asyncio.wait([running])


def test_a_wrong_password_is_said_once_for_each_node(
    config: RabbitMqConfig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HEARTLINE_MQTT_PASSWORD", "wrong")
    said = sentences(config, caplog, attempts=3)
    assert len(said) == 3
    assert all("it refuses this user; check `username` and the password" in sentence for sentence in said)


def test_what_is_wrong_at_a_cluster_is_said_with_the_remedy(
    config: RabbitMqConfig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbitmq, "_CONNECT_S", 0.5)
    with closing(pika.BlockingConnection(rabbitmq._nodes(config)[0])) as connection:  # noqa: SLF001
        connection.channel().queue_declare("classic")
    for change, sentence in (
        ({"queue": "classic"}, "there is another kind of queue called 'classic'; choose another `queue`"),
        ({"virtual_host": "gym"}, "this user may not use the virtual host 'gym'"),
        ({"port": 1, "other_nodes": ()}, "it cannot be reached (Connection refused); check `host` and `port`"),
        ({"host": "nowhere.invalid", "other_nodes": ()}, "its name cannot be resolved"),
    ):
        (said,) = sentences(replace(config, **change), caplog)
        assert sentence in said


def test_a_port_where_nobody_speaks_amqp_is_said(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rabbitmq, "_CONNECT_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (said,) = sentences(RabbitMqConfig("127.0.0.1", silent.getsockname()[1]), caplog)
    assert "it gives no answer of AMQP; check that it runs, that `port` is not the one of MQTT, and `tls`" in said


def sentences(config: RabbitMqConfig, caplog: pytest.LogCaptureFixture, *, attempts: int = 1) -> list[str]:
    """What is said of attempts to connect, one at each node."""
    caplog.clear()
    with a_consumer(config) as refused:
        for _ in range(attempts):
            assert not refused.receive(10, 0.1)
    return [said for said in caplog.messages if said.startswith("RabbitMQ: ")]


def test_a_header_says_when_a_device_published(config: RabbitMqConfig) -> None:
    """As RabbitMQ 4 hands a user property of MQTT 5 on."""
    with a_consumer(config) as consumer:
        assert not consumer.receive(10, 0.1)
        with closing(pika.BlockingConnection(rabbitmq._nodes(config)[1])) as connection:  # noqa: SLF001
            channel = connection.channel()  # one keeps the order
            for headers in ({PUBLISHED_AT: "1774872000.5"}, {PUBLISHED_AT: "noon"}):
                channel.basic_publish(
                    "amq.topic", f"heartline.{DEVICE}.event", b"{}", pika.BasicProperties(headers=headers)
                )
        arrived = [found for _ in range(2) for found in consumer.receive(1, 5)]
        assert [d.published_at for d in arrived] == [datetime(2026, 3, 30, 12, 0, 0, 500_000, UTC), None]
        consumer.acknowledge(arrived)


def test_no_message_is_lost_or_kept_twice_when_a_node_is_killed(
    cluster: list[Node], config: RabbitMqConfig, tmp_path: Path
) -> None:
    with open_store(StoreConfig(file=tmp_path / "backend.sqlite3")) as store, a_consumer(config) as consumer:
        worker = Worker(consumer, store, Metrics(), topic_prefix="heartline")
        step_until(worker, lambda: consumer.connected)  # at the first node
        ports = [node.mqtt_port for node in cluster]
        order = Order(ports, 4, USER, PASSWORD, devices=30, sessions=6, over_s=3.0, seed=1)
        with devices(order, tmp_path) as process:
            step_until(worker, lambda: len(list(store.sessions())) > 50)
            cluster[0].kill()
            step_until(worker, lambda: process.poll() is not None)
        log = log_in(tmp_path)
        while worker.step(threading.Event()):
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
        step_until(worker, lambda: consumer.connected)  # at the first node that lives
        publish(cluster[2].mqtt_port, [delivery(b"online", name="status")], username=USER, password=PASSWORD)
        step_until(worker, lambda: bool(store.devices()))
        assert [str(device.device) for device in store.devices() if device.online] == [DEVICE]


def step_until(worker: Worker, happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        worker.step(threading.Event())
        assert time.monotonic() < deadline
