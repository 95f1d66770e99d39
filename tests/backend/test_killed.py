"""A worker killed with SIGKILL: before the commit nothing is lost, after it nothing is there twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from heartline_backend.config import StoreConfig
from heartline_backend.store.open import open_store
from tests.backend.killed_worker import STATES
from tests.backend.samples import a_summary, an_event, delivery
from tests.backend.test_worker import KEEPS, publish, step_until, worker
from tests.mosquitto import mosquitto

COUNT = 40


@pytest.mark.parametrize("state", STATES)
def test_killed_in(state: str, tmp_path: Path, store_config: StoreConfig) -> None:
    where = store_config.postgresql or str(store_config.file)
    with mosquitto(tmp_path, settings=KEEPS) as port, open_store(store_config) as store:
        with worker(port, store):
            pass  # it has a place at the broker, where messages wait
        summaries = [a_summary(athlete=f"a{n}") for n in range(COUNT)]
        publish(port, [*map(delivery, summaries), delivery(an_event())])
        command = [sys.executable, "-m", "tests.backend.killed_worker", state, str(port), where]
        assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
        kept = len(list(store.sessions()))
        assert (kept > 0) == (state in {"committed", "half acknowledged"})

        with worker(port, store) as again:
            acknowledged = kept // 2 if state == "half acknowledged" else 0
            step_until(again, COUNT + 1 - acknowledged)
        assert sorted(str(s.session_id) for s in store.sessions()) == sorted(s.session_id for s in summaries)
