"""What a second costs on this machine, as `make bench` prints it, on one core.

Replay is timed as a whole command, as its user waits for it: start of the interpreter, reading, inference and printing.
Inference is timed second by second: the cell alone, and all of it (features, cell, experts, learning, calibration),
with the one BLAS thread that the command itself asks for.
"""

from __future__ import annotations

import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent import __version__
from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.choice import open_cell
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.models import WorkoutModel
from edge_agent.signals.frame import Frame

SECONDS = 4 * 3600
DAY_S = 24 * 3600
REPETITIONS = 7
AT_LEAST_TIMES_REAL_TIME = 1000


def main() -> int:
    """Measure and print.

    Returns:
        0 when replay is as fast as promised, else 1.
    """
    with tempfile.TemporaryDirectory() as folder:
        walls_s = _replay(_recording(Path(folder)))
    model = WorkoutModel(None)
    ratio = SECONDS / statistics.median(walls_s)
    print(f"{platform.machine()}, {cpu()}, Python {platform.python_version()}, numpy {np.__version__}")
    print(f"heartline {__version__}, {model.form}")
    print(f"edge-agent replay --json, {SECONDS} s recording, one core, {REPETITIONS} runs:")
    print(f"  median {statistics.median(walls_s):.2f} s, {min(walls_s):.2f} to {max(walls_s):.2f} s")
    print(f"  {1e6 * statistics.median(walls_s) / SECONDS:.0f} us per second of recording, {ratio:.0f} x real time")
    _print_inference(model)
    if ratio < AT_LEAST_TIMES_REAL_TIME:
        print(f"  slower than the {AT_LEAST_TIMES_REAL_TIME} x that are promised")
        return 1
    return 0


def _print_inference(model: WorkoutModel) -> None:
    bundle = read_bundle(SHIPPED_BUNDLE)
    cell = open_cell(bundle)
    x, state = bundle.golden_inputs[:1], np.zeros((1, cell.state_size), np.float32)
    cell_us = []
    for _ in range(20_000):
        begun_ns = time.perf_counter_ns()
        cell.step(x, state)
        cell_us.append((time.perf_counter_ns() - begun_ns) / 1000)

    forecaster = model.begin("benchmark")
    second_us = np.zeros(DAY_S)  # made before, so that the measuring does not grow
    memory_kb = []
    for t_s in range(DAY_S):
        frame = Frame(t_s, 140 + 20 * math.sin(t_s / 60), speed_mps=3 + math.sin(t_s / 60), cadence_rpm=85.0)
        begun_ns = time.perf_counter_ns()
        forecaster.step(frame)
        second_us[t_s] = (time.perf_counter_ns() - begun_ns) / 1000
        if t_s % 3600 == 3599:
            memory_kb.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    print("one second of inference, us: median (5 % to 95 % of the seconds)")
    print(f"  cell {_spread(cell_us)}")
    print(f"  all  {_spread(second_us)}")
    grown_kb = memory_kb[-1] - memory_kb[0]
    print(f"24 h in one session: peak memory {memory_kb[-1] / 1024:.0f} MB, {grown_kb} kB above the first hour's")


def _spread(values: Sequence[float] | NDArray[np.float64]) -> str:
    low, middle, high = np.percentile(values, [5, 50, 95])
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


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


def cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "unknown CPU")


if __name__ == "__main__":
    sys.exit(main())
