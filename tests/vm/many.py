"""Twelve sensors at full rate on a real kernel, bluetoothd and bus: that nothing is lost, and who does the work.

    python -m tests.vm.many > docs/vm-many.md

Eight straps, one athlete each, and four machines and pods, for the agent in the machine (root; see `tests.vm.image`).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import msgspec

from edge_agent.agent.status import FILE_NAME, Status
from tests.reliability.crowd import INTERVALS, Crowd, bring_virtual, gather_crowd
from tests.vm.bench import HOME, Bench
from tests.vm.figures import Figures
from tests.vm.image import build, pack
from tests.vm.machine import ACCELERATOR, Machine, machine

STRAPS = 8
FIND_S = 600.0  # emulated, a connection takes seconds, and they are made one after the other
SETTLE_S = 15.0  # sessions begin; afterwards, the last second is over and written

# Processes whose work it is, by the name that the kernel has of them.
WORKERS = {"edge-agent": "the agent", "bluetoothd": "bluetoothd", "dbus-daemon": "the message bus"}
TICKS_PER_S = 100  # of /proc/*/stat on x86

_PAGE = """# Twelve sensors on a real Bluetooth stack

`python -m tests.vm.many` wrote this page: eight straps and four other sensors at full rate, {packets_per_s:.0f} packets
a second, in the [virtual machine](vm.md) of `make test-vm`, with the kernel, bluetoothd and bus of Debian bookworm. Its
one processor is emulated ({accelerator}) on {cpus} {machine} cores that other work shared (load {load:.0f}), and
says nothing of a Raspberry Pi's: what counts here is what is lost, and who does how much of the work.

| | |
|---|--:|
| all twelve found, connected and subscribed to, one after the other | {found_s:.0f} s |
| measured | {measured_s:.0f} s |
| packets sent | {sent:,} |
| lost on the way to the agent, or not in the journal in order | {lost} |
"""


async def measure(directory: Path, seconds: float) -> str:
    """Boot, run, and say what came of it, as Markdown."""
    image = build()
    async with machine(image, pack(image, directory), directory) as booted:
        bench = Bench(booted, Figures())
        await booted.plug(there=True)
        await bench.start_bluetoothd()
        crowd = await gather_crowd(partial(bring_virtual, booted.link), straps=STRAPS, others=True)
        folder = f"{HOME}/many"
        config = f'{crowd.configuration()}[store]\ndirectory = "data"\n'
        await booted.run("sh", "-c", f"mkdir {folder} && cat > {folder}/agent.toml <<end\n{config}end", user="pi")
        begun_s = time.monotonic()
        agent = booted.start("edge-agent", "run", "--config", f"{folder}/agent.toml")
        async with asyncio.timeout(FIND_S):
            await crowd.subscribed()
        found_s = time.monotonic() - begun_s
        async with crowd.playing():
            await asyncio.sleep(SETTLE_S)
            before, began_s = await _work_s(booted), time.monotonic()
            await asyncio.sleep(seconds)
            after, measured_s = await _work_s(booted), time.monotonic() - began_s
        await asyncio.sleep(SETTLE_S)
        agent.signal(15)
        await agent.ended()
        lost = await _lost(booted, f"{folder}/data", crowd)
    page = _PAGE.format(
        packets_per_s=STRAPS + sum(machine.rate_hz for machine in crowd.machines),
        accelerator=ACCELERATOR.partition(",")[0],
        cpus=os.cpu_count(),
        machine=platform.machine(),
        load=os.getloadavg()[1],
        found_s=found_s,
        measured_s=measured_s,
        sent=sum(crowd.sent),
        lost=lost,
    )
    return page + "".join(
        f"| of the emulated processor, {who} | {(after[name] - before[name]) / measured_s:.1%} |\n"
        for name, who in WORKERS.items()
    )


async def _work_s(booted: Machine) -> dict[str, float]:
    """Processor time that each of the workers has had, kernel time on their behalf included."""
    worked = dict.fromkeys(WORKERS, 0.0)
    for line in (await booted.run("sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null; true")).splitlines():
        name, fields = line.partition("(")[2].rpartition(")")[0], line.rpartition(")")[2].split()
        if name in WORKERS:
            worked[name] += (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return worked


async def _lost(booted: Machine, record: str, crowd: Crowd) -> int:
    status = msgspec.json.decode(await booted.run("cat", f"{record}/{FILE_NAME}"), type=Status)
    recorded_ms = {}
    for athlete in crowd.athletes:
        rows = await booted.query(f"{record}/journal.sqlite3", INTERVALS.format(athlete=athlete))
        recorded_ms[athlete] = [interval for (text,) in rows for interval in msgspec.json.decode(text)]
    return crowd.lost(status, recorded_ms)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.vm.many", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure (default: %(default)g)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sys.stdout.write(asyncio.run(measure(Path(directory), args.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
