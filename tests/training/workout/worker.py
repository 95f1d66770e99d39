"""Child process of the tests: one worker of those that `TF_CONFIG` names.

Its argument is the file to write what it came to, or `leave`: then it ends without a word after the first epoch.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from tests.architecture.imports import REPOSITORY
from tests.training.conftest import make_recording
from training.dataset import make_session
from training.workout.fit import Epoch, Settings, fit
from training.workout.model import build_cell
from training.workout.team import Team

STREAMS = 3  # not divisible by two workers: their shares differ
CHUNK_S = 60
EPOCHS = 3
LEARNING_RATE = 0.01
# Of different lengths: streams end at different times, and the shares differ in how much is known.
SESSIONS_S = (160, 200, 240, 280, 320)
_HIDDEN = 8
_SEED = 3


def train(team: Team | None, on_epoch: Callable[[Epoch], None] = lambda _: None) -> dict[str, NDArray[Any]]:
    """The weights after training, those it started from, and the losses."""
    sessions = [make_session(make_recording("ada", f"s{i}", seconds=s, seed=i)) for i, s in enumerate(SESSIONS_S)]
    validation = [make_session(make_recording("ada", "s9", seconds=300, seed=9))]
    settings = Settings(
        hidden=_HIDDEN, epochs=EPOCHS, streams=STREAMS, chunk_s=CHUNK_S, learning_rate=LEARNING_RATE, team=team
    )
    fitted = fit(sessions, validation, seed=_SEED, settings=settings, on_epoch=on_epoch)
    keras.utils.set_random_seed(_SEED)
    start = build_cell(sessions[0].x.shape[1], _HIDDEN)
    return {
        **{f"weights {i}": values for i, values in enumerate(fitted.cell.get_weights())},
        **{f"start {i}": values for i, values in enumerate(start.get_weights())},
        "losses": np.array([(epoch.train_loss, epoch.validation_loss) for epoch in fitted.history]),
    }


@contextmanager
def started(*arguments: str) -> Iterator[list[subprocess.Popen[str]]]:
    """A worker for each argument, together in one cluster."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in arguments]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        cluster = {"worker": [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]}
    with ExitStack() as stack:
        processes = []
        for index, argument in enumerate(arguments):
            configuration = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.training.workout.worker", argument],
                    env=os.environ | {"TF_CONFIG": configuration, "TF_CPP_MIN_LOG_LEVEL": "3"},
                    cwd=REPOSITORY,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            stack.callback(process.kill)
            processes.append(process)
        yield processes


if __name__ == "__main__":
    if sys.argv[1] == "leave":
        train(Team.from_environment(), lambda _: os._exit(1))
    np.savez(Path(sys.argv[1]), **train(Team.from_environment()))
