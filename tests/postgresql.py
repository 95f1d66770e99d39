"""A real PostgreSQL for some tests, on a socket in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

# Debian keeps the servers of several versions apart; the newest one that is installed.
_DEBIAN = Path("/usr/lib/postgresql")

# An administrator may not run it, and whom else there is on every system.
_NOBODY = "nobody"


def _program(name: str) -> str:
    versions = sorted(_DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, versions), os.environ.get("PATH", os.defpath)]))
    if found is None:
        msg = f"{name} is not installed; run: sudo apt-get install postgresql"
        raise RuntimeError(msg)
    return found


@contextlib.contextmanager
def postgresql(*options: str) -> Iterator[str]:
    """Run the server; gives a connection string without a database's name.

    Without options of its own it does not wait for the disk: what is tested is who uses it, not PostgreSQL itself.
    """
    user = _NOBODY if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="pg") as folder:  # short: the path of a socket has 107 characters at most
        if user:
            shutil.chown(folder, user)
        initialise = [_program("initdb"), "--no-sync", "--auth=trust", "--username=heartline", "--encoding=UTF8"]
        subprocess.run(
            [*initialise, "--locale=C.UTF-8", "-D", f"{folder}/data"],
            cwd=folder,
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        start = [
            _program("postgres"),
            "-D",
            f"{folder}/data",
            "-k",
            folder,
            "-c",
            "listen_addresses=",
            *(options or ["-F"]),
        ]
        with (
            Path(folder, "log").open("wb") as log,
            subprocess.Popen(start, cwd=folder, user=user, stdout=log, stderr=log) as server,
        ):
            try:
                conninfo = f"host={folder} user=heartline"
                _wait_until_open(conninfo, server, Path(folder, "log"))
                yield conninfo
            finally:
                server.send_signal(signal.SIGINT)  # whoever is connected is not waited for


def _wait_until_open(conninfo: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if server.poll() is not None:
            break
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"{conninfo} dbname=postgres").close()
            return
        time.sleep(0.05)
    msg = f"PostgreSQL does not answer (exit status {server.poll()}): {log.read_text(encoding='utf-8')}"
    raise RuntimeError(msg)


def emptied(server: str) -> str:
    """Make its one database empty; gives its connection string."""
    conninfo = f"{server} dbname=postgres"
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return conninfo
