"""Time and memory that processes use, from /proc."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_EVERY_S = 0.5


class Meter:
    """Looks at processes and their descendants twice a second; what was killed keeps what it was last seen with.

    Attributes:
        processes: process ids by name; may grow while it looks.
        cpu_s: time by process id, from the first look on.
        memory_mb: resident by process id when last seen; pages that several processes share count several times.
        machine_cpu_s: of everything on this machine.
        seconds: between the first and the last look.
    """

    def __init__(self, processes: Mapping[str, list[int]]) -> None:
        self.processes = {name: list(pids) for name, pids in processes.items()}
        self.cpu_s: dict[int, float] = {}
        self.memory_mb: dict[int, float] = {}
        self.machine_cpu_s = self.seconds = 0.0
        self._first_s: dict[int, float] = {}
        self._begun = time.monotonic(), _machine_cpu_s()
        self._stop = threading.Event()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Look until left."""
        thread = threading.Thread(target=self._run)
        self._look()
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self._look()

    def cores(self) -> dict[str, float]:
        """Busy on average, by name."""
        return {n: sum(self.cpu_s.get(pid, 0.0) for pid in p) / self.seconds for n, p in self.processes.items()}

    def megabytes(self) -> dict[str, float]:
        """Resident, by name."""
        return {name: sum(self.memory_mb.get(pid, 0.0) for pid in pids) for name, pids in self.processes.items()}

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_S):
            self._look()

    def _look(self) -> None:
        stats, children = _processes()
        for pids in list(self.processes.values()):
            for pid in pids:
                if pid in stats:
                    cpu_s, self.memory_mb[pid] = _usage(pid, stats, children)
                    # One that was started in between counts from its start.
                    first_s = self._first_s.setdefault(pid, 0.0 if self.seconds else cpu_s)
                    # Of a tree that is being killed a part is seen last.
                    self.cpu_s[pid] = max(cpu_s - first_s, self.cpu_s.get(pid, 0.0))
        begun_s, machine_cpu_s = self._begun
        self.seconds = time.monotonic() - begun_s
        self.machine_cpu_s = _machine_cpu_s() - machine_cpu_s


def _processes() -> tuple[dict[int, list[str]], dict[int, list[int]]]:
    """The fields of proc(5)'s stat from the third on by process id, and who has started whom."""
    stats: dict[int, list[str]] = {}
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                stats[int(entry.name)] = fields
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    return stats, children


def _usage(root: int, stats: Mapping[int, list[str]], children: Mapping[int, list[int]]) -> tuple[float, float]:
    """Time in s, that of ended children included, and memory in MB of a process and its descendants."""
    todo, ticks, pages = [root], 0, 0
    while todo:
        pid = todo.pop()
        todo += children.get(pid, [])
        ticks += sum(int(field) for field in stats[pid][11:15])  # utime, stime, cutime, cstime
        pages += int(stats[pid][21])
    return ticks / _TICKS_PER_S, pages * _PAGE_BYTES / 1e6


def _machine_cpu_s() -> float:
    first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    user, nice, system, _idle, _wait, irq, soft_irq = map(int, first.split()[1:8])
    return (user + nice + system + irq + soft_irq) / _TICKS_PER_S
