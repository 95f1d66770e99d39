"""The crash table: every workload is cut off everywhere, and the journal has to be where it was or one step further.

    python -m tests.store.crash_table [--every N]

    kill -9      the process is killed as it enters a system call that changes a file
    I/O error    such a call fails once; the program goes on to its end, or refuses with a `JournalError`
    power cut    the system calls of a run are replayed up to each of them, and writes that were not synced are dropped,
                 kept, torn and reordered (`power_cut`)

After each, the agent starts again, which recovers the journal, and SQLite alone reads it: it must hold exactly what it
held in the last state that was reported, or in the next one. So no accepted second is lost, no summary and no message;
none is there twice; and nothing that was deleted comes back.
"""

from __future__ import annotations

import argparse
import platform
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.store.journal import Journal
from tests.store.power_cut import Disk, by_chance, dropped, kept
from tests.store.trace import CHANGING, Operation, Reached, operations, traced
from tests.store.workloads import WORKLOADS, Dump, dump

START = "start"

# Power cuts at each operation with writes that chance drops, keeps or tears, beside one that drops all and one that
# keeps all.
CHANCES = 3

KILL, ERROR, CUT = "kill -9", "I/O error", "power cut"


@dataclass(frozen=True, slots=True)
class Story:
    """A workload that was run in peace.

    Attributes:
        name: of the workload.
        before: folder with what is on the disk before it.
        states: in order, from `START` on.
        dumps: what the journal holds in each.
        operations: what the workload does to the disk.
        calls: how often it makes each system call that changes a file.
    """

    name: str
    before: Path
    states: list[str]
    dumps: list[Dump]
    operations: Sequence[Operation]
    calls: Counter[str]

    def holds(self, found: Dump, reported: int) -> bool:
        """Whether a journal is where it may be after so many reported states."""
        return found in self.dumps[reported : reported + 2]


@dataclass(frozen=True, slots=True)
class Run:
    """One that was cut off.

    Attributes:
        workload: which.
        state: the last that it had reported.
        kind: how it was cut off.
        where: at which system call or operation.
        right: whether the journal held what it had to.
    """

    workload: str
    state: str
    kind: str
    where: str
    right: bool


def tell(name: str, scratch: Path) -> Story:
    """Run a workload in peace: once to see what it holds in each state, once to see what it does to the disk."""
    before, watched, peaceful, trace = (scratch / part for part in ("before", "watched", "peaceful", "trace"))
    WORKLOADS[name].prepare(before)
    for copy in (watched, peaceful, scratch / "restarted"):
        shutil.copytree(before, copy)
    states, dumps = [START], [restarted(scratch / "restarted")]
    for state in WORKLOADS[name].run(peaceful):
        states.append(state)
        dumps.append(dump(peaceful))
    done = traced(["tests.store.workloads", name, str(watched)], trace)
    assert done.stdout.splitlines() == states[1:], done.stderr
    calls = Counter(line.partition("(")[0].rpartition(" ")[2] for line in trace.read_text().splitlines())
    return Story(name, before, states, dumps, list(operations(trace, watched)), calls)


def restarted(directory: Path) -> Dump:
    """What the journal holds after a start of the agent."""
    Journal(directory).close()
    return dump(directory)


def cut_off(story: Story, scratch: Path, *, every: int) -> Iterator[Run]:
    """Kill the process and fail its system calls, at every `every`-th of them."""
    for call in CHANGING:
        for number in range(1, story.calls[call] + 1, every):
            yield killed(story, scratch, call, number)
            yield failed(story, scratch, call, number)


def consistent(story: Story, directory: Path) -> bool:
    """Whether what a workload's agent says after another start is true."""
    check = WORKLOADS[story.name].consistent
    return check is None or check(directory)


def killed(story: Story, scratch: Path, call: str, number: int) -> Run:
    """Kill the process as it enters a system call for the `number`-th time."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        directory = shutil.copytree(story.before, Path(folder) / "store")
        inject = ("-e", f"inject={call}:signal=KILL:when={number}")
        done = traced(["tests.store.workloads", story.name, str(directory)], Path(folder) / "trace", *inject)
        assert done.returncode == -signal.SIGKILL, (story.name, call, number, done.stderr)
        reported = len(done.stdout.splitlines())
        right = story.holds(restarted(directory), reported) and consistent(story, directory)
    return Run(story.name, story.states[reported], KILL, f"{call} {number}", right)


def failed(story: Story, scratch: Path, call: str, number: int) -> Run:
    """Have a system call fail with EIO for the `number`-th time."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        directory = shutil.copytree(story.before, Path(folder) / "store")
        inject = ("-e", f"inject={call}:error=EIO:when={number}")
        done = traced(["tests.store.workloads", story.name, str(directory)], Path(folder) / "trace", *inject)
        reported = len(done.stdout.splitlines())
        if done.returncode:
            assert "JournalError" in done.stderr.splitlines()[-1], (story.name, call, number, done.stderr)
            right = story.holds(restarted(directory), reported)
        elif WORKLOADS[story.name].consistent:
            right = consistent(story, directory)
        else:
            right = restarted(directory) == story.dumps[-1]
    return Run(story.name, story.states[reported], ERROR, f"{call} {number}", right)


def power_cuts(story: Story, scratch: Path, *, every: int, chances: int = CHANCES) -> Iterator[Run]:
    """Cut the power after every `every`-th operation, in several ways."""
    disk = Disk(story.before)
    reported = 0
    for number, operation in enumerate(story.operations):
        disk.apply(operation)
        reported += isinstance(operation, Reached)
        if number % every:
            continue
        chance = random.Random(f"{story.name} {number}")  # noqa: S311 - to be repeated
        fates = [(dropped, 0.0), (kept, 1.0), *((by_chance(chance), chance.random()) for _ in range(chances))]
        for fate, names_kept in fates:
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                directory = Path(folder) / "store"
                disk.cut(directory, fate, names_kept=names_kept)
                try:
                    right = story.holds(restarted(directory), reported) and consistent(story, directory)
                except (AssertionError, sqlite3.Error):
                    right = False
            yield Run(story.name, story.states[reported], CUT, f"operation {number}", right)


def table(runs: Sequence[Run]) -> Iterator[str]:
    """The runs by state, as Markdown."""
    kinds = (KILL, ERROR, CUT)
    yield f"| workload | killed in | {' | '.join(kinds)} | lost, twice or wrong |"
    yield "|---|---|--:|--:|--:|--:|"
    for workload, state in dict.fromkeys((run.workload, run.state) for run in runs):
        here = [run for run in runs if (run.workload, run.state) == (workload, state)]
        counts = (str(sum(run.kind == kind for run in here)) for kind in kinds)
        yield f"| {workload} | {state} | {' | '.join(counts)} | {sum(not run.right for run in here)} |"
    totals = (str(sum(run.kind == kind for run in runs)) for kind in kinds)
    yield f"| all | | {' | '.join(totals)} | {sum(not run.right for run in runs)} |"


def main() -> int:
    """Run everything and print the table.

    Returns:
        0 when every run ended where it had to, else 1.
    """
    parser = argparse.ArgumentParser(description="Cut the journal off everywhere.")
    parser.add_argument("--every", type=int, default=2, help="kill and fail at every N-th system call (default: 2)")
    every = parser.parse_args().every
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in WORKLOADS:
            scratch = Path(folder) / name
            scratch.mkdir()
            story = tell(name, scratch)
            runs += power_cuts(story, scratch, every=1)
            runs += cut_off(story, scratch, every=every)
    order = {(name, state): i for i, (name, state) in enumerate(dict.fromkeys((r.workload, r.state) for r in runs))}
    runs.sort(key=lambda run: order[run.workload, run.state])
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}; {len(runs)} runs")
    print(*table(runs), sep="\n")
    for run in runs:
        if not run.right:
            print(f"WRONG: {run.workload}, {run.kind} at {run.where}, after: {run.state}")
    return int(any(not run.right for run in runs))


if __name__ == "__main__":
    sys.exit(main())
