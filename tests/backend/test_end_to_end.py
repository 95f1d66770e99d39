"""The agent's own outbox, a broker, and the command as it is installed: what the device has sent is kept."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from edge_agent.agent.clock import SystemClock
from edge_agent.config import MqttConfig
from edge_agent.store.journal import Journal
from heartline_backend.config import StoreConfig
from heartline_backend.store.open import open_store
from heartline_backend.store.store import Store
from tests.backend.test_worker import KEEPS, wait_for
from tests.mosquitto import free_port, mosquitto
from tests.sync.test_outbox import queue, syncing

LAG = "heartline_publish_to_commit_seconds"


class SetClock(SystemClock):
    """A machine's clock that somebody has set."""

    def time_trusted(self) -> bool:
        return True


async def test_what_a_device_sends_is_kept_and_forgotten_when_it_says_so(tmp_path: Path) -> None:
    with mosquitto(tmp_path, settings=KEEPS) as port, Journal(tmp_path / "journal") as journal:
        async with backend(tmp_path, port) as (store, metrics):
            ids = queue(journal, 3)
            async with syncing(journal, MqttConfig("127.0.0.1", port), SetClock()) as sync:
                await asyncio.wait_for(sync.drained(), 10)
                await asyncio.to_thread(wait_for, lambda: len(list(store.sessions())) == 3)
                assert {str(session.session_id) for session in store.sessions()} == set(ids)
                assert [str(device.device) for device in store.devices() if device.online] == [journal.device_id]
                await asyncio.to_thread(wait_for, lambda: f"{LAG}_count 3.0" in _text(metrics))
                assert f'{LAG}_bucket{{le="10.0"}} 3.0' in _text(metrics)
                journal.forget_athlete("ada", datetime.now(UTC), time_trusted=True)
                await asyncio.to_thread(wait_for, lambda: not list(store.sessions()))
            await asyncio.to_thread(wait_for, lambda: not store.standing().online)


@contextlib.asynccontextmanager
async def backend(folder: Path, port: int) -> AsyncIterator[tuple[Store, str]]:
    """`heartline-backend run`, connected; gives its store, and where its metrics are."""
    metrics_port = free_port()
    metrics = f"http://127.0.0.1:{metrics_port}/metrics"
    lines = ["store.file = 'kept.sqlite3'", f"metrics.port = {metrics_port}"]
    lines += ["broker.host = '127.0.0.1'", f"broker.port = {port}"]
    file = folder / "backend.toml"
    file.write_text("\n".join(lines))
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "heartline_backend.cli", "run", "--config", str(file)
    )
    try:
        await asyncio.to_thread(wait_for, lambda: "heartline_broker_connected 1.0" in _text(metrics))
        with open_store(StoreConfig(file=folder / "kept.sqlite3")) as store:
            yield store, metrics
    finally:
        running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), 20) == 0


def _text(url: str) -> str:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own
            return str(answer.read().decode())
    except OSError:
        return ""


async def test_a_worker_whose_store_is_away_says_so_and_can_be_stopped(tmp_path: Path) -> None:
    file = tmp_path / "backend.toml"
    lines = ["store.postgresql = 'host=/nowhere'", "broker.host = '127.0.0.1'", f"metrics.port = {free_port()}"]
    file.write_text("\n".join(lines))
    command = [sys.executable, "-m", "heartline_backend.cli", "run", "--config", str(file)]
    running = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert running.stderr is not None
    said = await asyncio.wait_for(running.stderr.readline(), 30)
    assert b"store: PostgreSQL: " in said
    assert said.endswith(b"trying again\n")
    running.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(running.wait(), 20) == 0
