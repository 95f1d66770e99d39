"""Disks that really fill up: a small file system of its own for a program that runs in a mount namespace of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent.parent

PRELUDE = """
import json, logging, os, subprocess, sys
from pathlib import Path
from edge_agent.store.journal import Journal
from tests.store.samples import new_session, second

said = []
class Said(logging.Handler):
    def emit(self, record): said.append(record.getMessage())
logging.getLogger().addHandler(Said())
disk = Path(sys.argv[1])

def fill():
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass

def remount(how): subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)

def crashed(count):
    # Leave a journal whose last sessions are in its log alone, as a power cut does.
    if os.fork() == 0:
        journal = Journal(disk / "store")
        for _ in range(count):
            journal.close_session(journal.open_session(new_session(), [second(0)]), interrupted=False, enqueue=True)
        journal.open_session(new_session(), [second(0)])
        os._exit(0)
    os.wait()

def unshare():
    # Of a clean stop: the file that SQLite shares memory in is made anew, for which there has to be room.
    (disk / "store" / "journal.sqlite3-shm").unlink()

def free(): (disk / "ballast").unlink()
def report(**values): print(json.dumps({"said": said, **values}))
"""


def on_small_disk(program: str, *, size: str = "1M") -> dict[str, Any]:
    """Run a program with a tmpfs of `size` at `disk`; gives what it reports."""
    rights = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    with tempfile.TemporaryDirectory() as mount_point:
        mount = f'mount -t tmpfs -o size={size} tmpfs "$0" && exec "$@"'
        command = ("unshare", *rights, "--mount", "sh", "-c", mount, mount_point)
        return run_and_read([*command, sys.executable, "-c", PRELUDE + program, mount_point])


def run_and_read(command: Sequence[str | Path]) -> dict[str, Any]:
    """Run a program that ends with `report(...)`."""
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report
