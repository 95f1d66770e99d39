"""Measures what `docs/reliability.md` says, and writes it: `make reliability`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from tests.reliability.conftest import FAULTS_FILE, FaultRow
from tests.reliability.day import Day, simulate_day
from tests.reliability.load import Load, bluez_room, bumble_room, measure
from tests.reliability.report import report

REPORT = Path(__file__).parents[2] / "docs" / "reliability.md"

MEMORY = "/dev/shm"  # noqa: S108 - a private folder is made in it; what is measured is not the disk

# Straps, whether the other sensors are there too, and whether on BlueZ's interface instead of bumble's.
LOADS = ((1, False, False), (8, True, False), (8, True, True))
LONGEST_BACK_S = 5.0
CORE_SHARE = 0.25
GROWTH_MB = 5.0


def main() -> int:
    """Measure and write.

    Returns:
        0 when everything holds that is promised, else 1.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--hours", type=int, default=24, help="of the simulated day (default: %(default)d)")
    parser.add_argument("--seconds", type=float, default=180.0, help="of each load (default: %(default)g)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        faults = _faults(Path(folder) / "faults.jsonl")
        loads = [_load(Path(folder), number, seconds=args.seconds) for number in range(len(LOADS))]
        day = _day(Path(folder) / "day", hours=args.hours)
    broken = _broken(day, loads, faults)
    REPORT.write_text(report(day, loads, faults, broken, shlex.join(sys.argv[1:])), encoding="utf-8")
    for promise in broken:
        sys.stderr.write(f"broken: {promise}\n")
    return 1 if broken else 0


def _faults(path: Path) -> list[FaultRow]:
    tests = [Path(__file__).with_name(name) for name in ("test_sensor_faults.py", "test_host_faults.py")]
    environment = {**os.environ, FAULTS_FILE: str(path)}
    subprocess.run([sys.executable, "-m", "pytest", "-q", *map(str, tests)], env=environment, check=True)
    return [msgspec.json.decode(line, type=FaultRow) for line in path.read_bytes().splitlines()]


def _load(folder: Path, number: int, *, seconds: float) -> Load:
    logging.getLogger("bumble").setLevel(logging.ERROR)
    straps, others, on_bluez = LOADS[number]
    directory = folder / f"load-{number}"
    directory.mkdir()

    async def run() -> Load:
        async with bluez_room(directory) if on_bluez else bumble_room() as room:
            return await measure(directory, room, straps=straps, others=others, duration_s=seconds)

    return asyncio.run(run())


def _day(directory: Path, *, hours: int) -> Day:
    directory.mkdir()
    logging.disable(logging.WARNING)
    return simulate_day(directory, hours=hours)


def _broken(day: Day, loads: list[Load], faults: list[FaultRow]) -> list[str]:
    promises = {
        "every good frame of the day is in the journal": day.recorded,
        f"no reconnect of the day takes more than {LONGEST_BACK_S:g} s": max(day.back_s) <= LONGEST_BACK_S,
        "the median reconnect takes less than 1 s": statistics.median(day.back_s) < 1.0,
        "95 % of the reconnects take at most two tries": statistics.quantiles(day.attempts, n=20)[-1] <= 2,
        "memory does not grow": day.rss_mb[-1] - day.warm_mb <= GROWTH_MB,
        "tasks and files do not grow": max(day.tasks) <= day.tasks[0] + 1 and max(day.files) <= day.files[0] + 1,
        "no frame of the sensors is lost": not any(load.lost for load in loads),
        f"the sensors take less than {CORE_SHARE:.0%} of a core": all(load.core < CORE_SHARE for load in loads),
        "no fault costs a frame": not any(row.frames_lost for row in faults),
    }
    return [promise for promise, kept in promises.items() if not kept]


if __name__ == "__main__":
    sys.exit(main())
