"""A real mosquitto for one test, on the loopback and a port of its own."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

# Debian keeps the broker where an ordinary user's path does not look.
_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"


def program(name: str) -> str:
    """Where a program of mosquitto is.

    Raises:
        RuntimeError: it is not installed; the message names what to run.
    """
    found = shutil.which(name, path=_PATH)
    if found is None:
        msg = f"{name} is not installed; run: sudo apt-get install mosquitto mosquitto-clients"
        raise RuntimeError(msg)
    return found


@contextlib.contextmanager
def mosquitto(directory: Path, *, port: int | None = None, settings: str = "allow_anonymous true\n") -> Iterator[int]:
    """Run the broker; gives its port, a free one unless named."""
    port = port or free_port()
    with mosquitto_process(directory, port=port, settings=settings):
        yield port


@contextlib.contextmanager
def mosquitto_process(directory: Path, *, port: int, settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the broker; gives the process, which may be killed. Further listeners in `settings` are open as well then."""
    config = directory / "mosquitto.conf"
    # `user`: as root it would drop to an account that cannot read the test's folder; for anyone else it means nothing.
    config.write_text(f"listener {port} 127.0.0.1\nuser root\nlog_dest stderr\nlog_type error\n{settings}")
    ports = [port, *map(int, re.findall(r"^listener (\d+)", settings, re.MULTILINE))]
    with subprocess.Popen([program("mosquitto"), "-c", config]) as broker:
        try:
            for number in ports:
                _wait_until_open(number, broker)
            yield broker
        finally:
            broker.terminate()


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(port: int, broker: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if broker.poll() is not None:
            break
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)
    msg = f"mosquitto does not listen on port {port} (exit status {broker.poll()})"
    raise RuntimeError(msg)
