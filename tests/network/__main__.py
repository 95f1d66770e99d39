"""Measures what `docs/network.md` says, and writes it: `make network`.

Packets are dropped by iptables in a network namespace, which wants root or a system that lets others
make one (`unshare --user --net`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import msgspec

from edge_agent import __version__
from tests.benchmark import cpu
from tests.mosquitto import program
from tests.network import outages, refusals
from tests.network.case import Case, Row, World
from tests.network.simulated_time import run_simulated
from tests.store.disk import REPOSITORY

REPORT = REPOSITORY / "docs" / "network.md"
CASES = [*outages.CASES, *refusals.CASES]

_CONNECTED = "broker: connected"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_MEMORY = "/dev/shm"  # noqa: S108 - a private folder is made in it; what is measured is not the disk

_HEAD = """# Network

What becomes of summaries when the broker or the way to it fails. Measured by `make network`, which wrote this page in
{took_min:.0f} minutes: heartline {heartline}, Python {python}, paho-mqtt {paho}, {mosquitto}, {cpu}.
The quick rows run, shorter, in every `make test` (`tests/network/test_network.py`).

The device is the agent's journal, outbox and connection, the broker a real mosquitto (one row: amqtt), and a backend
that only counts is subscribed to it. What takes hours is played in simulated time: the device's waiting is skipped,
while sockets, TLS and broker are real. Packets are dropped by iptables in a network namespace.

*Recovered* counts from when the cause is mended, by somebody or by itself, until the broker has acknowledged all that
was queued. *Lost* are messages that never reached the backend; *twice* is how often one reached it again: MQTT's QoS 1
allows that, and a backend keeps each message once by (device, id, revision).

| what happened | what the agent said | attempts | recovered | sent | lost | twice |
|---|---|--:|--:|--:|--:|--:|
"""

_NOTES = """
- A second sentence is said when the first no longer holds; each once, also over days. `connected` is left out here.
- Attempts are connections to the broker. Pauses between them double, from 1 s to a minute where it may pass by
  itself, from 30 s to a quarter of an hour where somebody has to change something; chance shortens each by up to half.
- What a broker refuses, a topic or a size, is tried again an hour later; so is what three connections in a row ended
  on.
- A summary waits for the acknowledgement of the one before it, so 2 s each way make it one every four seconds.
"""


def main() -> int:
    """Measure and write.

    Returns:
        0 when nothing is lost, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.network", description=__doc__)
    parser.add_argument("--case", type=int, metavar="N", help="play one case here and print its row as JSON")
    number = parser.parse_args().case
    if number is not None:
        sys.stdout.write(msgspec.json.encode(_play(CASES[number])).decode())
        return 0
    began_s = time.monotonic()
    rows = [_in_its_world(n, case) for n, case in enumerate(CASES)]
    REPORT.write_text(_report(rows, time.monotonic() - began_s), encoding="utf-8")
    return int(any(row.lost for row in rows))


def _in_its_world(number: int, case: Case) -> Row:
    sys.stderr.write(f"{case.fault} ({case.world.value})\n")
    if case.world is not World.OWN_NETWORK:
        return _play(case)
    rights = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    inside = 'ip link set lo up && exec "$@"'
    command = ("unshare", *rights, "--net", "sh", "-c", inside, "sh")
    again = (sys.executable, "-m", "tests.network", "--case", str(number))
    done = subprocess.run((*command, *again), cwd=REPOSITORY, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=Row)


def _play(case: Case) -> Row:
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        work = case.play(Path(folder))
        return run_simulated(work) if case.world is World.SIMULATED else asyncio.run(work)


def _report(rows: list[Row], took_s: float) -> str:
    head = _HEAD.format(
        took_min=took_s / 60,
        heartline=__version__,
        python=platform.python_version(),
        paho=version("paho-mqtt"),
        mosquitto=_mosquitto(),
        cpu=cpu(),
    )
    return head + "".join(_line(case, row) for case, row in zip(CASES, rows, strict=True)) + _NOTES


def _line(case: Case, row: Row) -> str:
    said = [_UUID.sub("<device>", text.removesuffix("; trying again")) for text in row.said if text != _CONNECTED]
    sentences = [f"`{text}`" if "`" not in text else f"`` {text} ``" for text in said]
    if row.noticed_s is not None:
        sentences[0] += f" after {_time(row.noticed_s)}"
    cells = (
        case.fault,
        "<br>".join(sentences) or "nothing",
        "" if row.attempts is None else f"{row.attempts}",
        _time(row.recovered_s),
        f"{row.sent}",
        f"{row.lost}",
        f"{row.twice}",
    )
    return f"| {' | '.join(cells)} |\n"


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 300 else f"{seconds / 60:.0f} min"


def _mosquitto() -> str:
    done = subprocess.run((program("mosquitto"), "-h"), capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
