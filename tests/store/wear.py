"""What an hour of recording writes to a card, and how long a commit takes.

    sudo python -m tests.store.wear

A new ext4 file system in a file, mounted through a loop device, takes the journal and, every five minutes, what was
learned of the athlete. The kernel counts the sectors that the device is given: data, log, and what the file system
writes for itself. strace counts the calls that sync. The seconds have real forecasts, by the shipped model from a
simulated workout, and come as fast as the disk takes them; the times are those of this machine's disk.

A second table has what the check at the start takes, on journals of some sizes that have just been written.
"""

from __future__ import annotations

import itertools
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from edge_agent.agent.session import SAVE_S
from edge_agent.demo.simulation import RR_UNITS_PER_S, interval_workout, simulate
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.models import WorkoutModel
from edge_agent.signals.acceleration import WINDOW_S
from edge_agent.signals.frame import Frame
from edge_agent.store.database import FILE_NAME
from edge_agent.store.journal import Journal
from edge_agent.store.recovery import damage_of
from edge_agent.store.summary import Second
from tests.store.disk import REPOSITORY
from tests.store.samples import new_session, summarised

HOUR_S = 3600
ATHLETE = "ada"
RUNNING = CurrentActivity("run", 0.9731, unknown=False, cadence_per_min=162.4)
SECTOR_BYTES = 512  # of /sys/dev/block/*/stat, whatever the device's own

CHECKED_HOURS = (10, 50, 250)

# What is shipped, and what it was chosen against: bytes of a page, seconds in a commit.
VARIANTS = ((1024, 1), (4096, 1), (1024, 2), (1024, 10))


def main(arguments: Sequence[str]) -> int:
    """Measure and print; with arguments, record an hour into a folder and report on that."""
    if arguments:
        print(json.dumps(_record(Path(arguments[0]), int(arguments[1]), int(arguments[2]))))
        return 0
    print(f"{platform.machine()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, ext4")
    print("| page | commit | written in an hour | syncs | journal grows by | commit, median | 99 % | longest |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for page_bytes, batch in VARIANTS:
        seen, syncs = _on_new_disk(page_bytes, batch)
        median, p99, longest = (f"{seen[name]:.1f} ms" for name in ("median_ms", "p99_ms", "longest_ms"))
        print(
            f"| {page_bytes} B | {batch} s | {seen['written_mb']:.1f} MB | {syncs} | {seen['file_mb']:.2f} MB "
            f"| {median} | {p99} | {longest} |"
        )
    print("\n| journal | recorded | check |")
    print("|--:|--:|--:|")
    for hours in CHECKED_HOURS:
        print(_check(hours))
    return 0


def _check(hours: int) -> str:
    """How long the check takes on a journal of so many hours, read from the page cache."""
    hour = list(_workout(WorkoutModel(None)))
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        with Journal(directory) as journal:
            for _ in range(hours):
                summarised(journal, journal.open_session(new_session(), hour))
        path = directory / FILE_NAME
        begun_s = time.perf_counter()
        assert damage_of(path) is None
        taken_s = time.perf_counter() - begun_s
        size_mb = path.stat().st_size / 1e6
    return f"| {size_mb:.0f} MB | {hours} h | {taken_s:.2f} s |"


def _on_new_disk(page_bytes: int, batch: int) -> tuple[dict[str, float], int]:
    """Record an hour twice, each time on a new file system: to measure, and to count the syncs."""
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts"
        watched = ("strace", "-f", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o", str(counts))
        seen: dict[str, float] = _run(Path(folder), (), page_bytes, batch)
        _run(Path(folder), watched, page_bytes, batch)
        calls = Counter(line.partition("(")[0].rpartition(" ")[2] for line in counts.read_text().splitlines())
    return seen, calls["fsync"] + calls["fdatasync"]


def _run(folder: Path, prefix: Sequence[str], page_bytes: int, batch: int) -> dict[str, float]:
    image, mount_point = folder / "image", folder / "mnt"
    mount_point.mkdir(exist_ok=True)
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(512_000_000)
    mount = 'mkfs.ext4 -q "$0" && mount -o loop "$0" "$1" && shift && exec "$@"'
    mounted = ("unshare", "--mount", "sh", "-c", mount, str(image), str(mount_point))
    recording = (*prefix, sys.executable, "-m", "tests.store.wear", str(mount_point), str(page_bytes), str(batch))
    done = subprocess.run([*mounted, *recording], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    seen: dict[str, float] = json.loads(done.stdout)
    return seen


def _record(directory: Path, page_bytes: int, batch: int) -> dict[str, float]:
    model = WorkoutModel(directory)
    seconds = list(_workout(model))
    with closing(sqlite3.connect(directory / FILE_NAME)) as db:
        db.execute(f"PRAGMA page_size={page_bytes}")
        db.execute("PRAGMA journal_mode=WAL")
    commits_ms = []
    with Journal(directory) as journal:
        session = journal.open_session(new_session(), seconds[:1])
        os.sync()
        before = _written_sectors(directory)
        for start in range(1, HOUR_S, batch):
            begun_s = time.perf_counter()
            journal.accept(session, seconds[start : start + batch])
            commits_ms.append(1e3 * (time.perf_counter() - begun_s))
            if start // SAVE_S > (start - batch) // SAVE_S:
                model.athletes.save(ATHLETE)
        os.sync()
        written = _written_sectors(directory) - before
    return {
        "written_mb": written * SECTOR_BYTES / 1e6,
        "file_mb": (directory / FILE_NAME).stat().st_size / 1e6,
        "median_ms": float(np.median(commits_ms)),
        "p99_ms": float(np.percentile(commits_ms, 99)),
        "longest_ms": max(commits_ms),
    }


def _workout(model: WorkoutModel) -> Iterator[Second]:
    """An hour as it is recorded, with its forecasts and activities."""
    forecaster = model.begin(ATHLETE)
    for t_s, sent in enumerate(itertools.islice(simulate(interval_workout(HOUR_S), seed=1), HOUR_S)):
        bpm = None if sent.heart_rate_bpm is None else float(sent.heart_rate_bpm)
        rr_intervals_ms = tuple(rr * 1000 / RR_UNITS_PER_S for rr in sent.rr_intervals)
        forecast = forecaster.step(Frame(t_s, heart_rate_bpm=bpm, rr_intervals_ms=rr_intervals_ms))
        yield Second(t_s, bpm, rr_intervals_ms, forecast, activity=None if t_s % WINDOW_S else RUNNING)


def _written_sectors(directory: Path) -> int:
    device = directory.stat().st_dev
    stat = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    return int(stat.read_text(encoding="ascii").split()[6])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
