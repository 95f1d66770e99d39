"""What a second of replay costs, as `make bench` prints it.

The whole command is timed, as its user waits for it: start of the interpreter, reading, inference and printing, on one
core.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from edge_agent import __version__
from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.runtime import open_cell

SECONDS = 4 * 3600
REPETITIONS = 7
AT_LEAST_TIMES_REAL_TIME = 1000


def main() -> int:
    """Measure and print.

    Returns:
        0 when replay is as fast as promised, else 1.
    """
    with tempfile.TemporaryDirectory() as folder:
        walls_s = _replay(_recording(Path(folder)))
    cell = open_cell(read_bundle(SHIPPED_BUNDLE))
    ratio = SECONDS / statistics.median(walls_s)
    print(f"{platform.machine()}, {_cpu()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"heartline {__version__}, {cell.recipe} on {cell.runtime}")
    print(f"edge-agent replay --json, {SECONDS} s recording, one core, {REPETITIONS} runs:")
    print(f"  median {statistics.median(walls_s):.2f} s, {min(walls_s):.2f} to {max(walls_s):.2f} s")
    print(f"  {1e6 * statistics.median(walls_s) / SECONDS:.0f} us per second of recording, {ratio:.0f} x real time")
    if ratio < AT_LEAST_TIMES_REAL_TIME:
        print(f"  slower than the {AT_LEAST_TIMES_REAL_TIME} x that are promised")
        return 1
    return 0


def _recording(folder: Path) -> Path:
    recording = folder / "session.csv"
    t_s = np.arange(SECONDS)
    heart_rate_bpm, speed_mps = 140 + 20 * np.sin(t_s / 60), 3 + np.sin(t_s / 60)
    rows = (f"{t},{hr:.0f},{v:.3f},85,,100" for t, hr, v in zip(t_s, heart_rate_bpm, speed_mps, strict=True))
    recording.write_text("t_s,heart_rate_bpm,speed_mps,cadence_rpm,power_w,altitude_m\n" + "\n".join(rows) + "\n")
    return recording


def _replay(recording: Path) -> list[float]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    walls_s = []
    for _ in range(REPETITIONS):
        begun_s = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "edge_agent.cli", "replay", recording, "--json"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        walls_s.append(time.perf_counter() - begun_s)
    return walls_s


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "unknown CPU")


if __name__ == "__main__":
    sys.exit(main())
