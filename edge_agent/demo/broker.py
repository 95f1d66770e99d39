"""A broker for the demo: the one named, else mosquitto where it is installed, else one inside this process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from amqtt.broker import Broker

from edge_agent.demo.errors import DemoError
from edge_agent.demo.radio import LOOPBACK

_START_S = 10.0  # mosquitto listens within 0.1 s; this is a machine in trouble


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens.

    Attributes:
        host: name or address.
        port: TCP port.
        name: what it is, for people.
    """

    host: str
    port: int
    name: str


def find_mosquitto(search_path: str) -> str | None:
    """The mosquitto program, also where Debian puts it: outside an ordinary user's path."""
    return shutil.which("mosquitto", path=os.pathsep.join([search_path, "/usr/sbin", "/usr/local/sbin"]))


@asynccontextmanager
async def own_broker(mosquitto: str | None, directory: Path) -> AsyncIterator[BrokerAddress]:
    """Run a broker on the loopback interface while the context lasts.

    Args:
        mosquitto: path of the program; None for the broker inside this process.
        directory: folder for its configuration and log.

    Raises:
        DemoError: it did not start.
    """
    port = _free_port()
    if mosquitto is None:
        async with _amqtt(port):
            yield BrokerAddress(LOOPBACK, port, "amqtt, inside the demo")
    else:
        async with _mosquitto(mosquitto, port, directory):
            yield BrokerAddress(LOOPBACK, port, "mosquitto")


@asynccontextmanager
async def _mosquitto(program: str, port: int, directory: Path) -> AsyncIterator[None]:
    config = directory / "mosquitto.conf"
    config.write_text(f"listener {port} {LOOPBACK}\nallow_anonymous true\nlog_dest stderr\n", encoding="utf-8")
    log = directory / "mosquitto.log"
    with log.open("wb") as log_file:
        process = await asyncio.create_subprocess_exec(program, "-c", str(config), stdout=log_file, stderr=log_file)
    try:
        await _wait_until_listening(process, port, log)
        yield
    finally:
        send_signal(process, signal.SIGTERM)
        await process.wait()


async def _wait_until_listening(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    deadline_s = asyncio.get_running_loop().time() + _START_S
    while process.returncode is None and asyncio.get_running_loop().time() < deadline_s:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(0.02)
    said = " / ".join(last_lines(log, 5))
    msg = f"mosquitto did not start on port {port} ({said or 'it said nothing'}); name a broker with --mqtt HOST:PORT"
    raise DemoError(msg)


@asynccontextmanager
async def _amqtt(port: int) -> AsyncIterator[None]:
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": f"{LOOPBACK}:{port}"}},
            "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
        }
    )
    await broker.start()
    try:
        yield
    finally:
        await broker.shutdown()


def send_signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal a process of ours, unless it has ended.

    asyncio's own way polls first, and so can take the exit status from under its own watcher's nose.
    """
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)


def last_lines(log: Path, count: int) -> list[str]:
    """The end of a log file."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
