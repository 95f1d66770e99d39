"""What the plain install costs a device: disk, and memory while the agent records and forecasts.

Sizes depend on the code and its dependencies, not on the machine's load, so they can be asserted.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tests.built_wheel import build_wheel
from tests.fake_bluez import FakeBlueZ, fake_bluez, private_bus
from tests.mosquitto import mosquitto, program

INSTALL_MB = 250
AGENT_MB = 80

# Enough for every part to have run many times: link, grid, model, journal.
FORECAST_S = 20

STRAP = {"name": "HR Strap 1", "address": "F0:00:00:00:00:01"}


@pytest.fixture(scope="module")
def device_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the built wheel, no extras."""
    venv = tmp_path_factory.mktemp("device") / "venv"
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "--quiet", wheel], check=True)
    return venv


def test_the_plain_install_is_small(device_venv: Path) -> None:
    """All that the virtual environment takes on the disk: dependencies, their bytecode, and pip itself."""
    by_package = {path.name: _disk_mb(path) for path in device_venv.glob("lib/python3*/site-packages/*")}
    largest = sorted(by_package.items(), key=lambda item: -item[1])[:8]
    total_mb = _disk_mb(device_venv)
    print(f"plain install: {total_mb:.0f} MB; " + ", ".join(f"{n} {mb:.1f}" for n, mb in largest))  # noqa: T201
    assert total_mb <= INSTALL_MB


async def test_the_agent_is_small_while_it_records_and_forecasts(device_venv: Path, tmp_path: Path) -> None:
    with private_bus(tmp_path) as bus_address, mosquitto(tmp_path) as port:
        config = tmp_path / "agent.toml"
        config.write_text(
            f'strap = {{ address = "{STRAP["address"]}" }}\n'
            f'store = {{ directory = "{tmp_path / "record"}" }}\n'
            f'mqtt = {{ host = "127.0.0.1", port = {port} }}\n'
        )
        async with (
            fake_bluez(bus_address, name=STRAP["name"], address=STRAP["address"]) as bluez,
            _subscriber(port) as subscriber,
            _agent(device_venv, config, bus_address) as agent,
        ):
            peak = asyncio.create_task(_peak_rss_mb(agent.pid))
            await bluez.strap.wait_for_subscriber()
            notifying = asyncio.create_task(_notify(bluez))
            while _forecast_seconds(tmp_path / "record") < FORECAST_S:
                assert agent.returncode is None
                await asyncio.sleep(0.5)
            agent.send_signal(signal.SIGTERM)
            assert await agent.wait() == 0
            notifying.cancel()
            topic, _, payload = (await _first_line(subscriber)).partition(" ")
            peak_mb = await peak
        print(f"agent: {peak_mb:.1f} MB at its peak")  # noqa: T201
        assert peak_mb <= AGENT_MB
        assert topic.startswith("heartline/")
        summary = json.loads(payload)
        assert summary["recorded_s"] >= FORECAST_S
        assert summary["rr_interval_count"] >= FORECAST_S
        assert not summary["interrupted"]


@asynccontextmanager
async def _agent(venv: Path, config: Path, bus_address: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The installed agent, with nothing of this process's environment that could lend it packages."""
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "DBUS_SYSTEM_BUS_ADDRESS": bus_address}
    process = await asyncio.create_subprocess_exec(
        venv / "bin" / "edge-agent", "run", "--config", config, env=environment, cwd=config.parent
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def _subscriber(port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """mosquitto's own client, that gives the first summary under the agent's prefix."""
    process = await asyncio.create_subprocess_exec(
        program("mosquitto_sub"), "-p", str(port), "-t", "heartline/+/session", "-q", "1", "-C", "1", "-v",
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _first_line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 10)).decode()


async def _notify(bluez: FakeBlueZ) -> None:
    """A strap on somebody who begins to run: a notification each second, with the RR interval."""
    for t_s in range(10_000):
        heart_rate_bpm = round(150 - 60 * math.exp(-t_s / 40))
        rr_1024 = round(60 / heart_rate_bpm * 1024)
        await bluez.strap.notify(bytes([0x10, heart_rate_bpm]) + rr_1024.to_bytes(2, "little"))
        await asyncio.sleep(1.0)


async def _peak_rss_mb(pid: int) -> float:
    """The largest resident set until the process ends, as the kernel counts it (VmHWM)."""
    peak_kib = 0
    status_file = Path(f"/proc/{pid}/status")
    while True:
        try:
            status = status_file.read_text()  # noqa: ASYNC240 - /proc does not block
        except (FileNotFoundError, ProcessLookupError):
            return peak_kib / 1000 * 1.024
        for line in status.splitlines():
            if line.startswith("VmHWM:"):
                peak_kib = int(line.split()[1])
        await asyncio.sleep(0.05)


def _forecast_seconds(directory: Path) -> int:
    """Seconds in the journal that have all of a heart rate, RR intervals and a forecast."""
    path = directory / "journal.sqlite3"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as journal:
        try:
            (count,) = journal.execute(
                "SELECT count(*) FROM second"
                " WHERE heart_rate_bpm IS NOT NULL AND rr_intervals_ms IS NOT NULL AND forecast IS NOT NULL"
            ).fetchone()
        except sqlite3.OperationalError:  # not yet laid out
            return 0
    return int(count)


def _disk_mb(path: Path) -> float:
    """Disk blocks of a file, or of a folder and all in it; links are not followed."""
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(file.lstat().st_blocks * 512 for file in files) / 1e6
