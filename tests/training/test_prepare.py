from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from distributed import Client

from edge_agent.recordings.read import Source
from training import cli
from training.dataset import Session, load
from training.errors import TrainingError
from training.prepare import spread, workers


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with workers(count=2) as client:
        yield client


def worker_of(item: int) -> tuple[int, int]:
    return item, os.getpid()


def assert_same(ours: list[Session], theirs: list[Session]) -> None:
    assert [s.key for s in ours] == [s.key for s in theirs]
    for a, b in zip(ours, theirs, strict=True):
        for name in ("x", "anchor_bpm", "restarted", "change_bpm", "scored"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert a.recording.started_at == b.recording.started_at
        for channel, values in a.recording.channels.items():
            np.testing.assert_array_equal(values, b.recording.channels[channel])


def test_two_workers_share_the_work_and_it_is_all_done(client: Client) -> None:
    done = list(spread(client, worker_of, range(40)))
    assert sorted(item for item, _ in done) == list(range(40))
    assert len({pid for _, pid in done}) == 2
    assert os.getpid() not in {pid for _, pid in done}


def test_two_workers_prepare_what_one_process_does(client: Client, data_folder: Path) -> None:
    alone, together = load(data_folder), load(data_folder, client=client)
    assert len(together.sessions) == 20
    assert_same(together.sessions, alone.sessions)
    assert_same(together.published_test, alone.published_test)
    assert [str(e) for e in together.errors] == [str(e) for e in alone.errors]
    assert together.errors[0].line == 3


def test_progress_is_shown_for_each_source(client: Client, data_folder: Path) -> None:
    shown: list[Source] = []

    def show(sources: list[Source]) -> Iterator[Source]:
        for source in sources:
            yield source
            shown.append(source)

    load(data_folder, show, client)
    assert len(shown) == 22


def test_workers_here_end_with_their_context() -> None:
    with workers(count=1) as client:
        ((_, pid),) = spread(client, worker_of, [0])
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def dask(*arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def test_a_running_scheduler_is_used_by_its_address(data_folder: Path) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    with dask("scheduler", "--port", str(port)):
        with pytest.raises(TrainingError, match="has no workers"), workers(address):
            pass
        with dask("worker", address, "--nworkers", "2", "--nthreads", "1"):
            with Client(address) as waiting:  # type: ignore[no-untyped-call]
                waiting.wait_for_workers(2, timeout=30)
            with workers(address) as client:
                together = load(data_folder, client=client)
    assert_same(together.sessions, load(data_folder).sessions)


def test_workers_without_what_they_shall_run_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    (tmp_path / "elsewhere.py").write_text("def double(item):\n    return 2 * item\n", encoding="utf-8")
    spec = importlib.util.spec_from_file_location("elsewhere", tmp_path / "elsewhere.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "elsewhere", module)  # so that it is sent by its name, as our modules are
    spec.loader.exec_module(module)
    with dask("scheduler", "--port", str(port)), dask("worker", address, "--nthreads", "1"):
        with Client(address) as waiting:  # type: ignore[no-untyped-call]
            waiting.wait_for_workers(1, timeout=30)
        with workers(address) as client, pytest.raises(TrainingError, match="the Dask workers cannot do it"):
            list(spread(client, module.double, [1]))


def test_an_address_where_nothing_answers_is_one_sentence(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for address in (f"tcp://127.0.0.1:{free_port()}", "nonsense://x"):
        arguments = ["workout", "--data", str(data_folder), "--out", str(tmp_path / "out"), "--scheduler", address]
        assert cli.main(arguments) == 2
        assert f"edge-train: no Dask scheduler answers at {address}" in capsys.readouterr().err
