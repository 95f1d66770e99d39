"""Devices that empty their outboxes over real MQTT connections, in a process of their own.

    python -m tests.load.devices < order.json > log.json

Each device has a connection, one message in flight, and sends again what was not acknowledged when a connection broke,
as the agent does; then it connects to the next address. Devices are paho clients driven by one event loop.
"""

from __future__ import annotations

import asyncio
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from tests.load.messages import Message, outbox

_REPOSITORY = Path(__file__).parent.parent.parent

_LOG = "devices.json"

_KEEPALIVE_S = 60
_PAUSE_S = 1.0  # before a device connects again, on average; the agent's first one
_ANSWER_S = 30.0  # for a broker that accepts a connection and says nothing


class Order(msgspec.Struct, frozen=True):
    """What the devices are to do.

    Attributes:
        ports: of the brokers on the loopback; devices are spread over them.
        protocol: 5, or 4 for MQTT 3.1.1.
        username: "" for none.
        password: of it.
        devices: how many.
        sessions: that each has to tell of.
        over_s: the time that the sessions' ends are spread over; 0: all are waiting when the devices come.
        seed: of what is made up.
    """

    ports: list[int]
    protocol: int
    username: str
    password: str
    devices: int
    sessions: int
    over_s: float
    seed: int


class Sent(msgspec.Struct, frozen=True, array_like=True):
    """What became of one message.

    Attributes:
        device: UUID.
        kind: of the message.
        id: of it.
        revision: of it.
        first_sent: Unix time.
        acknowledged: Unix time.
        times_sent: 1, and one more for each connection that broke on it.
    """

    device: str
    kind: str
    id: str
    revision: int
    first_sent: float
    acknowledged: float
    times_sent: int


class Log(msgspec.Struct, frozen=True):
    """What the devices saw.

    Attributes:
        connected: Unix time at which the last device had its first connection.
        broken: connections that ended before their device had sent everything.
        cpu_s: that the process used from then on.
        sent: every message; all of them were acknowledged.
    """

    connected: float
    broken: int
    cpu_s: float
    sent: list[Sent]


class _Device:
    def __init__(self, number: int, order: Order, messages: list[Message], random: Random) -> None:
        self.log: list[Sent] = []
        self.broken = 0
        self.ready = asyncio.Event()
        self._order, self._messages, self._random = order, messages, random
        self._address = number
        self._loop = asyncio.get_running_loop()
        self._acknowledged: asyncio.Future[None] | None = None
        self._up: asyncio.Future[None] | None = None

    async def run(self, begin: asyncio.Event) -> None:
        client = await self._connected()
        self.ready.set()
        await begin.wait()
        per_s = len(self._messages) / self._order.over_s if self._order.over_s else 0.0
        begun_s = self._loop.time()
        # Sessions end all over the time, not at the same moment on each device.
        offset = self._random.random()
        for number, message in enumerate(self._messages):
            if per_s:
                await asyncio.sleep(begun_s + (number + offset) / per_s - self._loop.time())
            first_sent, times = time.time(), 0
            while True:
                times += 1
                self._acknowledged = self._loop.create_future()
                try:
                    client.publish(message.topic, message.payload, qos=1)
                    if not client.is_connected():  # it broke while there was nothing to send
                        raise ConnectionResetError
                    await self._acknowledged
                    break
                except ConnectionError:
                    self.broken += 1
                    client = await self._connected()
            sent = Sent(message.device, message.kind, message.id, message.revision, first_sent, time.time(), times)
            self.log.append(sent)
        client.disconnect()

    async def _connected(self) -> mqtt.Client:
        while True:
            port = self._order.ports[self._address % len(self._order.ports)]
            client = self._client()
            self._up = self._loop.create_future()
            try:
                client.connect("127.0.0.1", port, _KEEPALIVE_S)
                async with asyncio.timeout(_ANSWER_S):
                    await self._up
            except (OSError, TimeoutError):
                self._address += 1
                await asyncio.sleep(_PAUSE_S * self._random.uniform(0.5, 1.5))
            else:
                return client

    def _client(self) -> mqtt.Client:
        protocol = MQTTProtocolVersion(self._order.protocol)
        name = f"heartline-{self._messages[0].device}"
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=protocol, reconnect_on_failure=False)
        if self._order.username:
            client.username_pw_set(self._order.username, self._order.password)
        client.on_socket_open = self._watch
        client.on_socket_close = self._unwatch
        client.on_socket_register_write = lambda c, _data, sock: self._loop.add_writer(sock, c.loop_write)
        client.on_socket_unregister_write = self._all_written
        client.on_connect = lambda _client, _data, _flags, reason, _more: self._answered(refused=reason.is_failure)
        client.on_publish = lambda *_: _settle(self._acknowledged)
        client.on_disconnect = lambda *_: self._ended()
        return client

    def _watch(self, client: mqtt.Client, _data: object, sock: object) -> None:
        assert isinstance(sock, socket.socket)
        self._loop.add_reader(sock, client.loop_read)
        self._loop.call_later(_KEEPALIVE_S / 2, self._keep_alive, client)

    def _unwatch(self, _client: mqtt.Client, _data: object, sock: object) -> None:
        assert isinstance(sock, socket.socket)
        self._loop.remove_reader(sock)

    def _all_written(self, _client: mqtt.Client, _data: object, sock: object) -> None:
        assert isinstance(sock, socket.socket)
        self._loop.remove_writer(sock)

    def _keep_alive(self, client: mqtt.Client) -> None:
        if client.loop_misc() is MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._loop.call_later(_KEEPALIVE_S / 2, self._keep_alive, client)

    def _answered(self, *, refused: bool) -> None:
        _settle(self._up, ConnectionRefusedError() if refused else None)

    def _ended(self) -> None:
        _settle(self._up, ConnectionResetError())
        _settle(self._acknowledged, ConnectionResetError())


def _settle(future: asyncio.Future[None] | None, error: Exception | None = None) -> None:
    if future is None or future.done():
        return
    if error:
        future.set_exception(error)
        future.exception()  # nobody may be waiting for it
    else:
        future.set_result(None)


async def _run(order: Order) -> Log:
    random = Random(order.seed)  # noqa: S311 - not for secrets
    fleet = [_Device(number, order, outbox(random, sessions=order.sessions), random) for number in range(order.devices)]
    begin = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        # One after another: a broker that is asked for thousands of connections at once refuses some.
        for device in fleet:
            tasks.create_task(device.run(begin))
            await device.ready.wait()
        connected, cpu_s = time.time(), time.process_time()
        begin.set()
    sent = [sent for device in fleet for sent in device.log]
    return Log(connected, sum(device.broken for device in fleet), time.process_time() - cpu_s, sent)


@contextmanager
def devices(order: Order, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Devices that begin to do what they are ordered to, in a process of their own, and log in a folder."""
    with (
        (directory / _LOG).open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", __name__], cwd=_REPOSITORY, stdin=subprocess.PIPE, stdout=log
        ) as process,
    ):
        try:
            assert process.stdin is not None
            process.stdin.write(msgspec.json.encode(order))
            process.stdin.close()
            yield process
        finally:
            process.kill()


def log_in(directory: Path) -> Log:
    """What devices that are done saw."""
    return msgspec.json.decode((directory / _LOG).read_bytes(), type=Log)


def main() -> None:
    """Do what the order on the standard input says."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * order.devices + 100)), hard))
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_run(order))))


if __name__ == "__main__":
    main()
