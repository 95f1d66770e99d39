"""What mosquitto does with the share of a worker that is away: `python -m tests.backend.absent` prints the table."""

from __future__ import annotations

import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from heartline_backend.config import SharedBrokerConfig
from heartline_backend.consumers import mqtt
from heartline_backend.consumers.mqtt import MqttConsumer
from tests.backend.samples import a_summary, delivery
from tests.backend.test_worker import publish, wait_for
from tests.mosquitto import free_port, mosquitto_process, program

SUMMARIES = 3000
QUIET_S = 2.0  # a worker that was sent nothing for so long has been sent all
EXPIRY_S = 2


@dataclass(frozen=True)
class Case:
    """What is different from mosquitto's defaults, and what happens while the second worker is away."""

    what: str
    settings: str = ""
    expires: bool = False
    killed: bool = False


CASES = (
    Case("mosquitto's defaults"),
    Case("`max_queued_messages 0`", "max_queued_messages 0\n"),
    Case("the same, and its place expires", "max_queued_messages 0\n", expires=True),
    Case(
        "`autosave_interval 60`, and mosquitto is killed with SIGKILL",
        "max_queued_messages 0\npersistence true\nautosave_interval 60\n",
        killed=True,
    ),
    Case(
        "`autosave_interval 1` and `autosave_on_changes true`, and it is killed",
        "max_queued_messages 0\npersistence true\nautosave_interval 1\nautosave_on_changes true\n",
        killed=True,
    ),
)


@contextmanager
def worker(port: int, number: int) -> Iterator[MqttConsumer]:
    """One that has subscribed."""
    with MqttConsumer(SharedBrokerConfig("127.0.0.1", port), number, Random(number)) as consumer:  # noqa: S311
        wait_for(lambda: consumer.connected)
        time.sleep(0.3)
        yield consumer


def taken(consumer: MqttConsumer) -> set[bytes]:
    """All that it is sent."""
    payloads: set[bytes] = set()
    while deliveries := consumer.receive(500, QUIET_S):
        payloads |= {one.payload for one in deliveries}
        consumer.acknowledge(deliveries)
    return payloads


def play(case: Case, folder: Path) -> str:
    """One row of the table."""
    settings = f"allow_anonymous true\npersistence_location {folder}/\n{case.settings}"
    summaries = [delivery(a_summary(athlete=f"a{n}")) for n in range(SUMMARIES)]
    port = free_port()
    with mosquitto_process(folder, port=port, settings=settings) as broker, worker(port, 1) as there:
        with worker(port, 2):
            pass
        began_s = time.monotonic()
        publish(port, summaries)
        took_ms = (time.monotonic() - began_s) / SUMMARIES * 1e3
        at_once = taken(there)
        if case.expires:
            time.sleep(EXPIRY_S + 2)
        if case.killed:
            broker.kill()
        else:
            with worker(port, 2) as back:
                later = taken(back)
    if case.killed:
        with mosquitto_process(folder, port=port, settings=settings), worker(port, 2) as back:
            later = taken(back)
    lost = SUMMARIES - len(at_once | later)
    return f"| {case.what} | {took_ms:.2f} | {len(at_once)} | {len(later - at_once)} | {lost} |"


def main() -> None:
    """Print the table."""
    version = subprocess.run([program("mosquitto"), "-h"], check=False, capture_output=True, text=True).stdout
    print(
        f"{version.splitlines()[0]}, {platform.machine()}; {SUMMARIES:,} summaries for two workers, one of them away\n"
    )
    print("| mosquitto | ms for each summary | taken at once | when the other is back | lost |\n|---|--:|--:|--:|--:|")
    for case in CASES:
        mqtt._FOR_EVER = EXPIRY_S if case.expires else 0xFFFFFFFF  # noqa: SLF001 - what must not be done
        with tempfile.TemporaryDirectory() as folder:
            print(play(case, Path(folder)))


if __name__ == "__main__":
    main()
