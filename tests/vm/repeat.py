"""Runs the tier again and again, and writes down how long it took, what failed, and what was seen.

    python -m tests.vm.repeat 20 > docs/vm-runs.md

Runs of the same agent and the same tests add up, so that twenty may be made five at a time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tests.built_wheel import REPOSITORY
from tests.vm.figures import FILE as FIGURES
from tests.vm.figures import Figure, read_figures
from tests.vm.image import DEBIAN_LOCK, IMAGES, PYTHON_LOCK, build
from tests.vm.machine import ACCELERATOR, MEMORY_MB

RUNS = IMAGES / "runs.json"
SHOWN_PACKAGES = ("bluez=", "linux-image-6", "python3.11=", "dbus-daemon=", "bleak", "dbus-fast=")


class Run(msgspec.Struct, frozen=True):
    """One run of the tier.

    Attributes:
        code: hash of the agent and the tests.
        began: ISO 8601, UTC.
        duration_s: of all of it, the wheel built and the machine booted.
        load: one-minute load averages of the host, before and after.
        outcome: what pytest counted.
        passed: whether every test did.
        figures: what was seen.
    """

    code: str
    began: str
    duration_s: float
    load: tuple[float, float]
    outcome: str
    passed: bool
    figures: list[Figure]


def run_once(code: str) -> Run:
    """Run the tier once; where it fails, its output is kept beside the image."""
    FIGURES.unlink(missing_ok=True)
    began, began_s, load = datetime.now(UTC), time.monotonic(), os.getloadavg()[0]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-m", "vm", "tests/vm"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        (IMAGES / f"failed-{began:%H%M%S}.log").write_text(done.stdout)
    counted = re.findall(r"^(.*(?:passed|failed|error).*) in [\d.]+s", done.stdout, re.MULTILINE)
    return Run(
        code,
        began.isoformat(timespec="seconds"),
        round(time.monotonic() - began_s, 1),
        (round(load, 1), round(os.getloadavg()[0], 1)),
        counted[-1].strip("= ") if counted else f"no result, status {done.returncode}",
        done.returncode == 0,
        read_figures() if FIGURES.exists() else [],
    )


def report(runs: list[Run]) -> str:
    """All of it as Markdown."""
    faults: dict[str, list[Figure]] = {}
    for figure in (figure for run in runs for figure in run.figures):
        faults.setdefault(figure.fault, []).append(figure)
    durations_s = sorted(run.duration_s for run in runs)
    seen = "\n".join(_row(fault, figures) for fault, figures in faults.items())
    made = "\n".join(
        f"| {number} | {run.began[:16]} | {run.duration_s:.0f} | {run.load[0]}, {run.load[1]} | {run.outcome} |"
        for number, run in enumerate(runs, 1)
    )
    return f"""# Runs in the virtual machine

Written by `python -m tests.vm.repeat`; what is tested and how: [vm.md](vm.md).

{sum(run.passed for run in runs)} of {len(runs)} runs in a row passed, {durations_s[0]:.0f} to {durations_s[-1]:.0f} s \
each, median {statistics.median(durations_s):.0f} s. {_host()}.

In the machine: {", ".join(_versions())}.

## What was seen

Time to recover: from the moment when a link could be again (the strap advertises, the adapter is on, the daemon or the
agent was started) until the agent has subscribed. Everything in the machine is emulated; to start the agent, for one,
takes seconds there that it does not take on a Pi. Lost: frames that the strap sent to the subscribed agent and that are
not in its journal.

| fault | runs | recovered, median s | slowest s | frames sent | lost |
|---|--:|--:|--:|--:|--:|
{seen}

## Runs

| | began (UTC) | s | load before, after | |
|--:|---|--:|--:|---|
{made}
"""


def _row(fault: str, figures: list[Figure]) -> str:
    took_s = sorted(figure.recovered_s for figure in figures if figure.recovered_s is not None)
    times = f"{statistics.median(took_s):.1f} | {took_s[-1]:.1f}" if took_s else "- | -"
    sent, lost = sum(figure.sent for figure in figures), sum(figure.lost for figure in figures)
    return f"| {fault} | {len(figures)} | {times} | {sent} | {lost} |"


def _host() -> str:
    emulator = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True)  # noqa: S607
    version = re.findall(r"version (\S+)", emulator.stdout)[0]
    return (
        f"Host: {os.cpu_count()} cores, {platform.machine()}, QEMU {version} with {ACCELERATOR}, {MEMORY_MB} MB guest"
    )


def _versions() -> list[str]:
    pins = (DEBIAN_LOCK.read_text() + PYTHON_LOCK.read_text()).split()
    return [re.sub("=+", " ", pin) for pin in pins if pin.startswith(SHOWN_PACKAGES)]


def _code() -> str:
    found = hashlib.sha256()
    for folder in ("edge_agent", "tests/vm"):
        for file in sorted((REPOSITORY / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file != Path(__file__):
                found.update(file.read_bytes())
    return found.hexdigest()


def main() -> int:
    """Run the tier and print the report of all its runs.

    Returns:
        0 when every run passed.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.vm.repeat", description=__doc__)
    parser.add_argument("runs", type=int, help="how many more")
    wanted = parser.parse_args().runs
    build()
    code = _code()
    known = msgspec.json.decode(RUNS.read_bytes(), type=list[Run]) if RUNS.exists() else []
    runs = [run for run in known if run.code == code]
    for _ in range(wanted):
        runs.append(run_once(code))
        RUNS.write_bytes(msgspec.json.encode(runs))
        print(f"{len(runs)}: {runs[-1].outcome}, {runs[-1].duration_s:.0f} s", file=sys.stderr)  # noqa: T201
    print(report(runs), end="")  # noqa: T201 - a command prints
    return 0 if all(run.passed for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
