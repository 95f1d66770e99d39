from __future__ import annotations

import asyncio
import os
import socket
import stat
from pathlib import Path

import paho.mqtt.publish
import pytest

from edge_agent.demo.broker import BrokerAddress, find_mosquitto, own_broker
from edge_agent.demo.errors import DemoError
from edge_agent.demo.subscriber import Received, subscription

BROKERS = ("mosquitto", "amqtt")


def program(kind: str) -> str | None:
    if kind == "amqtt":
        return None
    found = find_mosquitto(os.environ.get("PATH", os.defpath))
    assert found is not None, "run: sudo apt-get install mosquitto"
    return found


def listens(address: BrokerAddress) -> bool:
    with socket.socket() as client:
        return client.connect_ex((address.host, address.port)) == 0


async def publish(address: BrokerAddress, topic: str, payload: bytes) -> None:
    await asyncio.to_thread(paho.mqtt.publish.single, topic, payload, qos=1, hostname=address.host, port=address.port)


@pytest.mark.parametrize("kind", BROKERS)
async def test_a_broker_delivers_what_is_published_and_is_gone_afterwards(kind: str, tmp_path: Path) -> None:
    async with own_broker(program(kind), tmp_path) as address:
        assert kind in address.name
        assert address.host == "127.0.0.1"
        async with subscription(address, "heartline-demo/+/session") as inbox:
            await publish(address, "heartline-demo/other", b"not for us")
            await publish(address, "heartline-demo/1/session", b'{"schema": 1}')
            received = await asyncio.wait_for(inbox.get(), 5)
            assert received == Received("heartline-demo/1/session", b'{"schema": 1}')
            assert inbox.empty()
    assert not listens(address)


async def test_two_brokers_do_not_get_in_each_others_way(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    mosquitto = program("mosquitto")
    async with own_broker(mosquitto, tmp_path / "a") as a, own_broker(mosquitto, tmp_path / "b") as b:
        assert a.port != b.port
        assert listens(a)
        assert listens(b)


async def test_a_broker_that_does_not_start_is_reported_with_what_it_said(tmp_path: Path) -> None:
    broken = tmp_path / "mosquitto"
    broken.write_text("#!/bin/sh\necho 'no such option' >&2\nexit 3\n")
    broken.chmod(0o700)
    with pytest.raises(DemoError, match=r"no such option.*--mqtt HOST:PORT"):
        async with own_broker(str(broken), tmp_path):
            pass


async def test_an_unreachable_broker_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = BrokerAddress("127.0.0.1", taken.getsockname()[1], "nobody")
        with pytest.raises(DemoError, match=f"127.0.0.1:{address.port} cannot be reached"):
            async with subscription(address, "#"):
                pass


async def test_a_broker_that_lets_nobody_in_is_named(tmp_path: Path) -> None:
    config = tmp_path / "mosquitto.conf"
    async with own_broker(program("mosquitto"), tmp_path) as open_broker:
        pass
    config.write_text(config.read_text().replace("allow_anonymous true", "allow_anonymous false"))
    process = await asyncio.create_subprocess_exec(program("mosquitto") or "", "-c", str(config), stderr=-3)
    try:
        for _ in range(100):
            if listens(open_broker):
                break
            await asyncio.sleep(0.02)
        with pytest.raises(DemoError, match="refused us"):
            async with subscription(open_broker, "#"):
                pass
    finally:
        process.terminate()
        await process.wait()


def test_mosquitto_is_found_where_an_ordinary_users_path_does_not_look(tmp_path: Path) -> None:
    assert find_mosquitto(str(tmp_path)) == "/usr/sbin/mosquitto"
    ours = tmp_path / "mosquitto"
    ours.touch()
    ours.chmod(stat.S_IRWXU)
    assert find_mosquitto(str(tmp_path)) == str(ours)
