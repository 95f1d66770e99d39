"""Loads the backend with simulated devices and writes `docs/backend-load.md`: `python -m tests.load`.

Takes a quarter of an hour, and two cores that nobody else wants.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import version
from pathlib import Path

from tests.benchmark import cpu
from tests.load.run import Broker, Plan, Result, a_cluster, one_mosquitto, run
from tests.postgresql import postgresql
from training.tables import table

REPORT = Path(__file__).parent.parent.parent / "docs" / "backend-load.md"

WORKERS = (1, 2, 4)
FEWER_DEVICES = (500, 1000)
_SESSIONS = 4
# With a session an hour each, 2,000 devices would tell of as many in six hours.
_STEADY_SESSIONS, _STEADY_S = 3, 30.0


def main() -> None:
    """Run everything and write the report."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument("--devices", type=int, default=2000, metavar="N", help="how many (default: 2000)")
    count = parser.parse_args().devices
    load_average = os.getloadavg()[0]
    steady, drained, disturbed = [], [], []
    # Commits wait for the disk, as in use; the times of commits are tracked so that they can be measured.
    with postgresql("-c", "track_commit_timestamp=on") as server:
        for opened in (one_mosquitto, a_cluster):
            for workers in WORKERS:
                with opened() as broker:
                    all_wait = Plan(workers, count, _SESSIONS)
                    steady.append(_told(run(broker, server, Plan(workers, count, _STEADY_SESSIONS, _STEADY_S))))
                    drained.append(_told(run(broker, server, all_wait)))
                    kill = Plan(workers, count, _SESSIONS + 1, kill_worker=True, kill_node=broker.kill_node is not None)
                    disturbed.append(_told(run(broker, server, kill)))
        fewer = [_alone(one_mosquitto, server, Plan(2, number, _SESSIONS)) for number in FEWER_DEVICES]
        fewer += [_alone(a_cluster, server, Plan(2, number, _SESSIONS)) for number in FEWER_DEVICES]
    growth = sorted([*fewer, *(r for r in drained if r.plan.workers == 2)], key=lambda r: (r.broker, r.plan.devices))
    sections = (
        _head(count, load_average),
        _in_short(drained, [*steady, *drained, *disturbed, *fewer], growth),
        _kept("All have something to tell at once", _AT_ONCE, drained),
        _kept("With a worker and a node killed", _KILLED, disturbed),
        _kept("A constant flow", _STEADY, steady),
        _cost([*drained, *disturbed]),
        _growth(growth),
    )
    REPORT.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {REPORT}\n")


def _alone(opened: Callable[[], AbstractContextManager[Broker]], server: str, plan: Plan) -> Result:
    with opened() as broker:
        return _told(run(broker, server, plan))


def _told(result: Result) -> Result:
    sys.stderr.write(
        f"{result.broker}, {result.plan}: {result.messages / result.seconds:.0f} messages a second, "
        f"lost {result.lost}, twice {result.twice}\n"
    )
    return result


# What others may take of the cores without a word: the system's own work, and what the looks at /proc miss.
_NOTED_CORES = 0.3

_AT_ONCE = (
    "As after an outage: every device is connected and has {sessions} sessions waiting, each a summary and two events, "
    "a tenth of the summaries in a second revision. A device sends one message after the other, each when the one "
    "before is acknowledged. The delay is that of a queue: how long it takes until it is empty."
)
_KILLED = (
    "The same with {sessions} sessions each; when three tenths are kept, the first worker is killed with SIGKILL and "
    "started again 3 s later, and with the cluster the first node is killed, too, for good. Devices and workers "
    "that were connected to it go on at another."
)
_STEADY = (
    "{sessions} sessions of each device, spread over {seconds:.0f} s: a message is sent when it is there, so that the "
    "delay is that of the way alone."
)


def _head(count: int, load_average: float) -> str:
    programs = ", ".join(
        (
            _version("/usr/sbin/mosquitto", "-h").removesuffix(" "),
            f"RabbitMQ {_debian('rabbitmq-server')}",
            _version_of_postgresql(),
            f"psycopg {version('psycopg')}",
            f"paho-mqtt {version('paho-mqtt')}",
            f"pika {version('pika')}",
        )
    )
    return (
        f"# {count:,} devices\n\nWritten by `python -m tests.load`. Every device is an MQTT connection of its own: to "
        "mosquitto by MQTT 5, to three nodes of RabbitMQ by 3.1.1. Brokers run with the files of `deploy/`, PostgreSQL "
        "with its defaults (every commit waits for the disk), workers as `heartline-backend run`; all of it, and the "
        "devices, on the same machine. Delays last from a device's first sending to PostgreSQL's own time of the "
        "commit. A message is lost when a device was told that it is taken and PostgreSQL has neither it nor a newer "
        "revision; it is there twice when a row is, or one that no device has sent.\n\n"
        f"{platform.system()} {platform.machine()}, {cpu()}, {os.cpu_count()} cores, load average at the beginning "
        f"{load_average:.1f}. {programs}, Python {platform.python_version()}."
    )


def _in_short(drained: Sequence[Result], results: Sequence[Result], growth: Sequence[Result]) -> str:
    parts = []
    for broker in dict.fromkeys(r.broker for r in drained):
        best = max((r for r in drained if r.broker == broker), key=lambda r: r.messages / r.seconds)
        costs = [_cost_ms(r) for r in growth if r.broker == broker]
        devices = [r.plan.devices for r in growth if r.broker == broker]
        team = f"{best.plan.workers} worker{'s' if best.plan.workers > 1 else ''}"
        parts.append(
            f"{broker}: {best.summaries / best.seconds:.0f} summaries a second within "
            f"{best.messages / best.seconds:.0f} messages, with {team}; limited by {_limit(best)}. Each message costs "
            f"{costs[0]:.2f} ms of a core with {devices[0]:,} devices and {costs[-1]:.2f} ms with {devices[-1]:,}."
        )
    return (
        f"In {len(results)} runs devices were told that {sum(r.messages for r in results):,} messages are taken. Of "
        f"these {sum(r.lost for r in results)} are lost, and {sum(r.twice for r in results)} are there twice.\n\n- "
        + "\n- ".join(parts)
    )


def _cost_ms(result: Result) -> float:
    """Processor time of a message, but for the devices'."""
    ours = sum(cores for name, cores in result.cores.items() if name != "devices")
    return 1000 * ours * result.seconds / result.messages


def _others(result: Result) -> float:
    """Cores that were busy with what has nothing to do with it."""
    return max(result.machine_cores - sum(result.cores.values()), 0.0)


def _broker(result: Result) -> str:
    (name,) = set(result.cores) - {"PostgreSQL", "workers", "devices"}
    return name


def _kept(title: str, what: str, results: Sequence[Result]) -> str:
    plan = results[0].plan
    rows = [
        [
            r.broker,
            str(r.plan.workers),
            f"{r.messages:,}",
            f"{r.summaries / r.seconds:.0f}",
            f"{r.messages / r.seconds:.0f}",
            f"{r.delay_ms(50):.0f}",
            f"{r.delay_ms(99):.0f}",
            str(r.lost),
            str(r.twice),
            f"{r.sent_again:,}",
        ]
        for r in results
    ]
    head = ["broker", "workers", "messages", "summaries/s", "messages/s", "median ms", "p99 ms", "lost", "twice"]
    text = what.format(sessions=plan.sessions, seconds=plan.over_s)
    return f"## {title}\n\n{text}\n\n{table([*head, 'sent again'], rows, text_columns=1)}"


def _cost(results: Sequence[Result]) -> str:
    rows = []
    for r in results:
        parts = [r.cores[name] for name in (_broker(r), "workers", "PostgreSQL", "devices")]
        rows.append(
            [
                r.broker + (", killed" if r.plan.kill_worker else ""),
                str(r.plan.workers),
                *(f"{1000 * cores * r.seconds / r.messages:.3f}" for cores in parts),
                *(f"{cores:.2f}" for cores in parts),
                f"{_others(r):.2f}",
                _limit(r),
            ]
        )
    head = ["broker", "workers", "broker ms", "workers ms", "PostgreSQL ms", "devices ms"]
    head += ["broker cores", "workers cores", "PostgreSQL cores", "devices cores", "others' cores", "limit"]
    return (
        "## What it costs, and what limits it\n\nProcessor time per message, and cores kept busy, by process; "
        "others' cores are what the machine was busy with beside. The devices are part of the test, but take "
        f"their share of the same cores.\n\n{table(head, rows, text_columns=1)}"
    )


def _limit(result: Result) -> str:
    """The part that could not go faster; whoever waits for nobody."""
    cores = os.cpu_count() or 1
    if result.machine_cores > 0.93 * cores:
        largest = max(result.cores, key=lambda name: result.cores[name])
        others = f", {_others(result):.1f} of which others had" if _others(result) > _NOTED_CORES else ""
        return f"the machine's {cores} cores{others}; most of the rest went to {largest}"
    # mosquitto and the simulated devices are one thread each; a worker is as good as one, and has one of PostgreSQL's.
    threads = {_broker(result): 3 if "nodes" in result.broker else 1, "devices": 1}
    full = {name: result.cores[name] / threads.get(name, result.plan.workers) for name in result.cores}
    busiest = max(full, key=lambda name: full[name])
    return busiest if full[busiest] > 0.8 else f"waiting for each other ({busiest} {full[busiest]:.0%} busy)"


def _growth(results: Sequence[Result]) -> str:
    rows = [
        [
            r.broker,
            f"{r.plan.devices:,}",
            f"{r.messages / r.seconds:.0f}",
            f"{_cost_ms(r):.3f}",
            f"{r.megabytes[_broker(r)]:.0f}",
            f"{r.megabytes['workers']:.0f}",
            f"{r.megabytes['PostgreSQL']:.0f}",
        ]
        for r in results
    ]
    head = ["broker", "devices", "messages/s", "ms per message", "broker MB", "workers MB", "PostgreSQL MB"]
    return (
        "## How cost grows\n\nTwo workers, all sessions waiting. Processor time per message of broker, workers and "
        "PostgreSQL together; resident memory at the end, in which what PostgreSQL's processes share counts for each."
        f"\n\n{table(head, rows, text_columns=1)}"
    )


def _version(program: str, option: str) -> str:
    done = subprocess.run([program, option], capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0].removesuffix(" is an MQTT v5.0/v3.1.1/v3.1 broker.").replace(" version", "")


def _debian(package: str) -> str:
    done = subprocess.run(
        ["/usr/bin/dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True, check=True
    )
    return done.stdout


def _version_of_postgresql() -> str:
    (newest, *_) = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), reverse=True)
    return _version(str(newest), "--version").replace("postgres (PostgreSQL)", "PostgreSQL").partition(" (")[0]


if __name__ == "__main__":
    main()
