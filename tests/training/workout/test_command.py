"""Two workers of the command itself, each a process of its own, write what one alone writes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.architecture.imports import REPOSITORY
from tests.training.conftest import make_recording, write_neutral
from training import cli
from training.manifest import CELL
from training.workout.fit import Settings

# As in test_distributed: how far two orders of adding float32 gradients up can be apart, in steps of the learning rate.
# The sessions are shorter than a chunk, so that an epoch is a step.
EPOCHS = 2
RELATIVE = 2 * (Settings().streams * Settings().chunk_s - 1) * 2.0**-24
ABSOLUTE = EPOCHS * Settings().learning_rate * RELATIVE
# A forecast is off by less than a hundred times what the weights are: features are below 6, the scale is 8 bpm at most.
ABSOLUTE_BPM = 100 * ABSOLUTE


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """What one process alone writes, and what the first of two does."""
    folder = tmp_path_factory.mktemp("command")
    for i in range(10):
        recording = make_recording("ada", f"s{i}", seconds=200, seed=i)
        write_neutral(recording, folder / "data" / "ada" / f"{recording.session}.csv")
    alone, first, second = (folder / name for name in ("alone", "first", "second"))

    def command(out: Path) -> list[str]:
        small = ["--seeds", "1", "--epochs", str(EPOCHS), "--hidden", "6"]
        return ["workout", "--data", str(folder / "data"), "--out", str(out), *small]

    with ExitStack() as stack:
        ports = []
        for _ in range(2):
            free = stack.enter_context(socket.socket())
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    with ExitStack() as stack:
        processes = []
        for index, out in enumerate((first, second)):
            team = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
            process = stack.enter_context(
                subprocess.Popen(
                    [
                        sys.executable,
                        "-c",
                        "import sys; from training.cli import main; sys.exit(main())",
                        *command(out),
                    ],
                    env=os.environ | {"TF_CONFIG": team},
                    cwd=REPOSITORY,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            processes.append(process)
        assert cli.main(command(alone)) == 0
        for process in processes:
            _, complaint = process.communicate(timeout=500)
            assert process.returncode == 0, complaint
    assert not second.exists()  # one of the two keeps what both came to
    return alone, first


def weights(out: Path) -> list[NDArray[np.float32]]:
    made: list[NDArray[np.float32]] = keras.models.load_model(out / CELL).get_weights()
    return made


def test_two_workers_write_the_cell_that_one_writes(results: tuple[Path, Path]) -> None:
    alone, together = map(weights, results)
    for one, both in zip(alone, together, strict=True):
        np.testing.assert_allclose(both, one, rtol=RELATIVE, atol=ABSOLUTE)


def test_they_report_the_errors_that_one_reports(results: tuple[Path, Path]) -> None:
    alone, together = (json.loads((out / "metrics.json").read_text()) for out in results)
    for one, both in zip(alone["data_sets"], together["data_sets"], strict=True):
        assert [m["name"] for m in one["methods"]] == [m["name"] for m in both["methods"]]
        for method, same in zip(one["methods"], both["methods"], strict=True):
            assert same["mae_bpm"] == pytest.approx(method["mae_bpm"], abs=ABSOLUTE_BPM)
