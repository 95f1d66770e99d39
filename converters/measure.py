"""Runs a converted model on a real runtime, in a child process of that runtime's environment."""

from __future__ import annotations

import os
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
from numpy.typing import NDArray

from converters.environments import Environment
from converters.errors import ConversionError
from converters.flatbuffer import lacking
from converters.forms import how_it_ended

_TIMEOUT_S = 600.0  # a hundred thousand inputs take seconds; a runtime that needs this long is stuck


class _Printed(msgspec.Struct):
    rounds_us: list[float]
    peak_mb: float


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """What a model costs on a runtime, and what it answers there.

    Attributes:
        us: microseconds of one answer, tensors in and out included: the median of several rounds.
        us_low: of the fastest round.
        us_high: of the slowest round.
        peak_mb: peak memory of the whole process, interpreter and numpy included.
        answers: to each sequence, float32 (inputs, outputs).
    """

    us: float
    us_low: float
    us_high: float
    peak_mb: float
    answers: list[NDArray[np.float32]]


def measure(
    model: bytes, environment: Environment, sequences: Sequence[NDArray[np.float32]], *, state_size: int | None = None
) -> Measurement:
    """Run a model over sequences of inputs, each from zero state, and time it.

    Args:
        model: TFLite model of one input and one output, or of a cell with its state.
        environment: of the runtime.
        sequences: float32 (inputs, *input shape) each; the first one is also what is timed.
        state_size: values of carried state, None for a model without.

    Raises:
        ConversionError: the runtime lacks an operator, crashes, refuses the model, or answers nonsense; the message is
            the reason alone, in one sentence.
    """
    if reason := lacking(model, environment.runtime):
        raise ConversionError(reason)
    with TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "model.tflite").write_bytes(model)
        for i, sequence in enumerate(sequences):
            np.save(work / f"sequence_{i:03}.npy", sequence)
        environ = dict(os.environ)
        if environment.path is not None:
            environ["PYTHONPATH"] = str(environment.path)
            environ.pop("PYTHONHOME", None)
        try:
            child = subprocess.run(  # noqa: S603 - our own module, our own files
                [environment.python, "-m", "converters.answer", environment.runtime, str(state_size or 0), str(work)],
                env=environ,
                cwd=work,  # nothing of where the command was started can be imported there
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            msg = f"the runtime gave no answer within {_TIMEOUT_S:.0f} s"
            raise ConversionError(msg) from error
        if child.returncode:
            msg = f"the runtime {how_it_ended(child)}"
            raise ConversionError(msg)
        answers = [np.load(work / f"answers_{i:03}.npy") for i in range(len(sequences))]
    if not all(len(a) == len(s) and np.isfinite(a).all() for a, s in zip(answers, sequences, strict=True)):
        msg = "the answers are not finite numbers"
        raise ConversionError(msg)
    printed = msgspec.json.decode(child.stdout, type=_Printed)
    rounds_us = printed.rounds_us
    return Measurement(statistics.median(rounds_us), min(rounds_us), max(rounds_us), printed.peak_mb, answers)
