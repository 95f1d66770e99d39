"""A real RabbitMQ cluster of Debian's package, on the loopback and ports of its own, with the files of `deploy/`."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.mosquitto import free_port

USER, PASSWORD = "heartline", "only-on-this-loopback"

_DEPLOY = Path(__file__).parent.parent / "deploy" / "rabbitmq"
# Debian's wrapper in /usr/sbin changes to the account of the system's own broker; the server itself runs as anybody.
_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_EPMD = Path("/usr/bin/epmd")
_START_S = 60.0


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a cluster.

    Attributes:
        name: of the Erlang node.
        amqp_port: where workers consume.
        mqtt_port: where devices publish.
        process: leader of its process group.
    """

    name: str
    amqp_port: int
    mqtt_port: int
    process: subprocess.Popen[bytes]

    @property
    def amqp_url(self) -> str:
        """With user and password."""
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.amqp_port}/%2F"

    def kill(self) -> None:
        """End it like a power cut does; once more means nothing."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextlib.contextmanager
def rabbitmq_cluster(directory: Path, *, nodes: int = 3) -> Iterator[list[Node]]:
    """Run a cluster whose nodes have all joined."""
    if not _SERVER.exists():
        msg = f"{_SERVER} is not there; run: sudo apt-get install rabbitmq-server"
        raise RuntimeError(msg)
    home = directory / "home"
    home.mkdir()
    cookie = home / ".erlang.cookie"
    cookie.touch(0o600)
    cookie.write_text(secrets.token_hex(16))
    cookie.chmod(0o400)
    names = [f"heartline{i + 1}@localhost" for i in range(nodes)]
    running: list[Node] = []
    epmd_port = free_port()
    with subprocess.Popen([_EPMD, "-port", str(epmd_port), "-address", "127.0.0.1"]) as epmd:
        try:
            for name in names:
                # One after the other, as `deploy/compose.cluster.yaml` does it.
                running.append(_start(directory / name, name, names[: len(running) + 1], home, epmd_port))
                _wait_until_open(running[-1])
            yield running
        finally:
            for node in running:
                node.kill()  # a cluster that is asked to stop takes a quarter of a minute to
            epmd.terminate()


def _start(directory: Path, name: str, peers: list[str], home: Path, epmd_port: int) -> Node:
    amqp_port, mqtt_port = free_port(), free_port()
    overlay = directory / "conf.d"
    overlay.mkdir(parents=True)
    (overlay / "10-deploy.conf").write_text(_without_its_places((_DEPLOY / "rabbitmq.conf").read_text()))
    (overlay / "90-here.conf").write_text(
        "\n".join(
            [
                f"listeners.tcp.default = 127.0.0.1:{amqp_port}",
                f"mqtt.listeners.tcp.default = 127.0.0.1:{mqtt_port}",
                f"default_user = {USER}",
                f"default_pass = {PASSWORD}",
                *(f"cluster_formation.classic_config.nodes.{i} = {peer}" for i, peer in enumerate(peers, start=1)),
                "log.console = true",
                "log.console.level = warning",
                "log.file = false",
                "",
            ]
        )
    )
    environ = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": name,
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_CONFIG_FILE": str(directory / "none"),
        "RABBITMQ_CONFIG_FILES": str(overlay),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(_DEPLOY / "enabled_plugins"),
        # One scheduler each: three nodes share the cores of one machine, and do not spin for each other.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
    }
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [_SERVER], cwd=directory, env=environ, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    return Node(name, amqp_port, mqtt_port, process)


def _without_its_places(settings: str) -> str:
    """The deployed settings less the ports and names that differ here."""
    differing = ("listeners.", "mqtt.listeners.", "cluster_formation.classic_config.nodes.")
    return "\n".join(line for line in settings.splitlines() if not line.startswith(differing)) + "\n"


def _wait_until_open(node: Node) -> None:
    end = time.monotonic() + _START_S
    while time.monotonic() < end and node.process.poll() is None:
        if all(_is_open(port) for port in (node.amqp_port, node.mqtt_port)):
            return
        time.sleep(0.1)
    msg = f"{node.name} does not take connections (exit status {node.process.poll()})"
    raise RuntimeError(msg)


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
