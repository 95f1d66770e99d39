"""One run: devices, a broker or a cluster, workers and a database; and what came of it, counted at the database."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import psycopg

from edge_agent.store.messages import Kind
from tests.load.devices import Log, Order, Sent, devices, log_in
from tests.load.processes import Meter
from tests.mosquitto import mosquitto
from tests.postgresql import emptied
from tests.rabbitmq import PASSWORD, USER, rabbitmq_cluster

_DEPLOYED = Path(__file__).parent.parent.parent / "deploy" / "mosquitto" / "mosquitto.conf"

# When something is killed: when so much was kept of what the devices have to send.
_KILL_AT = 0.3
_RESTART_S = 3.0  # a killed worker is started again after, as a service manager does it
_PATIENCE_S = 120.0

# Of the first worker; the next ones take the next ports. Below those that the kernel gives to connections.
_METRICS_PORT = 29468

# Rows of a device's sessions and events with the times of their commits.
_KEPT = """
    SELECT device::text, session_id::text, revision, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM session
    UNION ALL
    SELECT device::text, event_id::text, revision, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM event"""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where devices publish and workers consume.

    Attributes:
        name: for the tables.
        order: for devices, less how many there are and what they send.
        section: of the workers' configuration.
        environ: for the workers.
        processes: process ids by name.
        kill_node: kills the first node; None where there is one alone.
    """

    name: str
    order: Order
    section: str
    environ: dict[str, str]
    processes: dict[str, list[int]]
    kill_node: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about.

    Attributes:
        workers: how many.
        devices: how many.
        sessions: of each device.
        over_s: over which they end; 0: all wait when the devices connect.
        kill_worker: whether the first worker is killed in between, and started again.
        kill_node: whether the first node is killed in between.
    """

    workers: int
    devices: int
    sessions: int
    over_s: float = 0.0
    kill_worker: bool = False
    kill_node: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a run.

    Attributes:
        broker: its name.
        plan: what it was about.
        messages: that devices were told to be taken.
        summaries: of these.
        seconds: from the first message sent to the last commit.
        delays_s: of each message that is kept in its revision, from the device's first sending to the commit.
        lost: messages that are kept neither in their revision nor in a higher one.
        twice: rows that are there more than once, or that no device has sent.
        sent_again: messages that devices have sent more than once, since a connection broke.
        cores: busy on average, by process.
        megabytes: resident at the end, by process.
        machine_cores: busy on average on the whole machine.
    """

    broker: str
    plan: Plan
    messages: int
    summaries: int
    seconds: float
    delays_s: list[float]
    lost: int
    twice: int
    sent_again: int
    cores: dict[str, float]
    megabytes: dict[str, float]
    machine_cores: float

    def delay_ms(self, percent: int) -> float:
        """Percentile of publish to commit."""
        return 1000 * statistics.quantiles(self.delays_s, n=100)[percent - 1]


@contextlib.contextmanager
def one_mosquitto() -> Iterator[Broker]:
    """mosquitto with the deployed settings, but for its places."""
    differing = ("listener", "allow_anonymous", "password_file", "acl_file", "persistence_location")
    with TemporaryDirectory() as folder:
        settings = [line for line in _DEPLOYED.read_text("utf-8").splitlines() if not line.startswith(differing)]
        settings += ["allow_anonymous true", f"persistence_location {folder}/", f"pid_file {folder}/pid", ""]
        with mosquitto(Path(folder), settings="\n".join(settings)) as port:
            pid = int(Path(folder, "pid").read_text("utf-8"))
            section = f'[broker]\nhost = "127.0.0.1"\nport = {port}\n'
            yield Broker("mosquitto", Order([port], 5, "", "", 0, 0, 0, 1), section, {}, {"mosquitto": [pid]})


@contextlib.contextmanager
def a_cluster() -> Iterator[Broker]:
    """Three nodes of RabbitMQ with the deployed settings, but for their places."""
    with TemporaryDirectory() as folder, rabbitmq_cluster(Path(folder)) as nodes:
        others = [f"127.0.0.1:{node.amqp_port}" for node in nodes[1:]]
        yield Broker(
            "RabbitMQ, 3 nodes",
            Order([node.mqtt_port for node in nodes], 4, USER, PASSWORD, 0, 0, 0, 1),
            f'[rabbitmq]\nhost = "127.0.0.1"\nport = {nodes[0].amqp_port}\nusername = "{USER}"\n'
            f"other_nodes = {others}\n",
            {"HEARTLINE_MQTT_PASSWORD": PASSWORD},
            {"RabbitMQ": [node.process.pid for node in nodes]},
            nodes[0].kill,
        )


def run(broker: Broker, server: str, plan: Plan) -> Result:
    """Have devices send and workers keep, and count.

    Args:
        broker: between them, empty.
        server: connection string of PostgreSQL, which tracks the times of commits.
        plan: what else there is.
    """
    conninfo = emptied(server)
    with (
        TemporaryDirectory() as folder,
        _team(broker, plan, conninfo, Path(folder)) as team,
        psycopg.connect(conninfo, autocommit=True) as watcher,
    ):
        (data,) = watcher.execute("SHOW data_directory").fetchone() or ("",)
        server_pid = int(Path(data, "postmaster.pid").read_text("utf-8").split()[0])
        order = msgspec.structs.replace(
            broker.order, devices=plan.devices, sessions=plan.sessions, over_s=plan.over_s, seed=plan.sessions
        )
        with devices(order, Path(folder)) as process:
            _wait(lambda: _count(watcher) > 0, "the first message")
            meter = Meter({**broker.processes, "PostgreSQL": [server_pid], "workers": team.pids})
            with meter.running():
                if plan.kill_worker or plan.kill_node:
                    _wait(lambda: _count(watcher) > _KILL_AT * 3 * plan.devices * plan.sessions, "the kill")
                if plan.kill_node and broker.kill_node:
                    broker.kill_node()
                if plan.kill_worker:
                    meter.processes["workers"].append(team.kill_and_start_again(1))
                process.wait()
                log = log_in(Path(folder))
                newest = _newest(log)
                with contextlib.suppress(TimeoutError):
                    _wait(lambda: _revisions(watcher) >= sum(newest.values()), "the last message")
        rows = watcher.execute(_KEPT).fetchall()
        return _result(broker, plan, log, rows, meter)


@dataclass
class _Team:
    """Workers, by their numbers."""

    command: list[str | Path]
    environ: dict[str, str]
    log: Path
    running: dict[int, subprocess.Popen[bytes]]

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self.running.values()]

    def start(self, number: int) -> int:
        """Start a worker; gives its process id."""
        with self.log.open("ab") as log:
            self.running[number] = subprocess.Popen(
                [*self.command, str(number)], env=self.environ, stdout=log, stderr=log
            )
        return self.running[number].pid

    def kill_and_start_again(self, number: int) -> int:
        """End a worker with SIGKILL, and start it again a little later; gives its new process id."""
        self.running[number].kill()
        self.running[number].wait()
        time.sleep(_RESTART_S)
        return self.start(number)


@contextlib.contextmanager
def _team(broker: Broker, plan: Plan, conninfo: str, folder: Path) -> Iterator[_Team]:
    config = folder / "backend.toml"
    config.write_text(
        f'[store]\npostgresql = "{conninfo}"\n{broker.section}[metrics]\nport = {_METRICS_PORT}\n', encoding="utf-8"
    )
    command: list[str | Path] = [sys.executable, "-m", "heartline_backend.cli", "run", "--config", config, "--worker"]
    team = _Team(command, {**os.environ, **broker.environ}, folder / "workers.log", {})
    try:
        for number in range(1, plan.workers + 1):
            team.start(number)
        said = "connected", "consuming from"
        _wait(lambda: sum(team.log.read_text("utf-8").count(word) for word in said) >= plan.workers, "the workers")
        yield team
    except TimeoutError as error:
        error.add_note(team.log.read_text("utf-8"))
        raise
    finally:
        for process in team.running.values():
            process.terminate()
        for process in team.running.values():
            process.wait()


def _wait(happened: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + _PATIENCE_S
    while not happened():
        if time.monotonic() > end_s:
            msg = f"{what} did not come in {_PATIENCE_S:.0f} s"
            raise TimeoutError(msg)
        time.sleep(0.1)


def _count(watcher: psycopg.Connection[tuple[object, ...]]) -> int:
    """How many rows there are, about."""
    return _number(watcher, "SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM event)")


def _revisions(watcher: psycopg.Connection[tuple[object, ...]]) -> int:
    """Sum of all revisions: no row adds to it twice."""
    sums = "(SELECT coalesce(sum(revision), 0) FROM session) + (SELECT coalesce(sum(revision), 0) FROM event)"
    return _number(watcher, f"SELECT {sums}")


def _number(watcher: psycopg.Connection[tuple[object, ...]], sql: str) -> int:
    found = watcher.execute(sql.encode()).fetchone()
    return int(str(found[0])) if found else 0


def _newest(log: Log) -> dict[tuple[str, str], int]:
    newest: dict[tuple[str, str], int] = {}
    for sent in log.sent:
        key = sent.device, sent.id
        newest[key] = max(sent.revision, newest.get(key, 0))
    return newest


def _result(broker: Broker, plan: Plan, log: Log, rows: list[tuple[object, ...]], meter: Meter) -> Result:
    sent: dict[tuple[str, str, int], Sent] = {(s.device, s.id, s.revision): s for s in log.sent}
    newest = _newest(log)
    kept: dict[tuple[str, str], int] = {}
    delays_s, last, twice = [], log.connected, 0
    for device, message, revision, committed in rows:
        key, seconds = (str(device), str(message)), float(str(committed))
        number = int(str(revision))
        twice += key in kept or (*key, number) not in sent
        kept[key] = number
        last = max(last, seconds)
        if found := sent.get((*key, number)):
            delays_s.append(seconds - found.first_sent)
    return Result(
        broker=broker.name,
        plan=plan,
        messages=len(log.sent),
        summaries=sum(s.kind == Kind.SUMMARY for s in log.sent),
        seconds=last - log.connected,
        delays_s=delays_s,
        lost=sum(kept.get(key, 0) < revision for key, revision in newest.items()),
        twice=twice,
        sent_again=sum(s.times_sent > 1 for s in log.sent),
        cores={**meter.cores(), "devices": log.cpu_s / (last - log.connected)},
        megabytes=meter.megabytes(),
        machine_cores=meter.machine_cpu_s / meter.seconds,
    )
