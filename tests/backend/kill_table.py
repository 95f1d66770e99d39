"""Workers killed at any moment: `python -m tests.backend.kill_table` prints what was lost and what was kept wrongly.

Two workers, as processes of their own, take in what devices publish to a real mosquitto. Again and again one of them is
killed with SIGKILL at a moment left to chance, and started again. Messages come twice and in older revisions as well.
"""

from __future__ import annotations

import argparse
import contextlib
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edge_agent.store.summary import Summary
from heartline_backend.config import StoreConfig
from heartline_backend.store.open import open_store
from tests.backend.samples import a_summary, delivery
from tests.backend.test_worker import KEEPS, publish, wait_for
from tests.mosquitto import free_port, mosquitto
from tests.postgresql import emptied, postgresql

SUMMARIES = 40  # of each round, half of them twice and in two revisions
LONGEST_S = 1.5  # from publishing to the kill


class Workers:
    """Two processes of `heartline-backend run`."""

    def __init__(self, config: Path) -> None:
        self._config = config
        self._running = {number: self._start(number) for number in (1, 2)}

    def kill_one(self, chance: random.Random) -> None:
        """Kill one of them, and start it again."""
        number = chance.choice((1, 2))
        self._running[number].kill()
        self._running[number].wait()
        self._running[number] = self._start(number)

    def stop(self) -> None:
        for process in self._running.values():
            process.terminate()
            process.wait()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "heartline_backend.cli", "run", "--config", str(self._config)]
        return subprocess.Popen([*command, "--worker", str(number)], stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def workers(folder: Path, broker: int, store: StoreConfig) -> Iterator[Workers]:
    config = folder / "backend.toml"
    where = f"file = '{store.file}'" if store.postgresql is None else f"postgresql = '{store.postgresql}'"
    lines = ["[store]", where, "[broker]", "host = '127.0.0.1'", f"port = {broker}"]
    config.write_text("\n".join([*lines, "[metrics]", f"port = {free_port()}"]))
    running = Workers(config)
    try:
        yield running
    finally:
        running.stop()


def round_of(number: int, chance: random.Random) -> tuple[list[Summary], dict[str, int]]:
    """What is published in a round, and the revision that has to be kept of each session."""
    told = [a_summary(athlete=f"a{number}-{n}") for n in range(SUMMARIES)]
    newer = [a_summary(athlete=s.athlete, session_id=s.session_id, revision=2) for s in told[: SUMMARIES // 2]]
    published = [*told, *newer, *told[: SUMMARIES // 2]]
    chance.shuffle(published)
    return published, {s.session_id: s.revision for s in (*told, *newer)}


def play(name: str, store_config: StoreConfig, kills: int, folder: Path, chance: random.Random) -> str:
    """One row of the table."""
    expected: dict[str, int] = {}
    published = 0
    with (
        mosquitto(folder, settings=KEEPS) as port,
        open_store(store_config) as store,
        workers(folder, port, store_config) as running,
    ):
        time.sleep(3)  # both have subscribed
        for number in range(kills):
            messages, revisions = round_of(number, chance)
            publish(port, [delivery(message) for message in messages])
            published += len(messages)
            expected |= revisions
            time.sleep(chance.uniform(0, LONGEST_S))
            running.kill_one(chance)

        def kept() -> dict[str, int]:
            return {str(session.session_id): session.revision for session in store.sessions()}

        with contextlib.suppress(AssertionError):  # the table says what is missing
            wait_for(lambda: kept() == expected)
        found = kept()
    lost = len(expected.keys() - found.keys())
    wrong = sum(found[key] != revision for key, revision in expected.items() if key in found)
    return f"| {name} | {kills} | {published} | {len(expected)} | {len(found)} | {lost} | {wrong} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.backend.kill_table", description=__doc__)
    parser.add_argument("--kills", type=int, default=100, metavar="N", help="of each row")
    kills = parser.parse_args().kills
    print(f"{platform.machine()}, Python {platform.python_version()}\n")
    print("| store | kills | published | sessions | kept | lost | older revision kept |\n|---|--:|--:|--:|--:|--:|--:|")
    chance = random.Random(1)  # noqa: S311 - a test's
    with postgresql() as server:
        for name in ("PostgreSQL", "SQLite"):
            with tempfile.TemporaryDirectory() as folder:
                file = StoreConfig(file=Path(folder) / "backend.sqlite3")
                store = StoreConfig(postgresql=emptied(server)) if name == "PostgreSQL" else file
                print(play(name, store, kills, Path(folder), chance), flush=True)


if __name__ == "__main__":
    main()
