"""Child process of `converters.measure`: runs one model on one runtime, in that runtime's environment.

    python -m converters.answer RUNTIME STATE_SIZE FOLDER

FOLDER holds `model.tflite` and the inputs `sequence_<i>.npy`; the answers to each, from zero state, are written beside
it as `answers_<i>.npy`. STATE_SIZE is 0 for a model without state. Printed is a JSON object: the time of one answer,
tensors in and out included, in each round of a hundred or more, and the peak memory of this process once it answers.

A runtime may end the process on a model it cannot run; here that costs a child and not the conversion.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.runtime import Cell, Classifier, load

_ROUNDS = 9
_ROUND_NS = 20_000_000
_AT_LEAST = 100


def main(runtime: str, state_size: str, folder: str) -> None:
    """Time the model, answer the sequences, and print what was measured."""
    work = Path(folder)
    content = (work / "model.tflite").read_bytes()
    model = load(content, recipe="", runtime=runtime, state_size=int(state_size) or None)
    files = sorted(work.glob("sequence_*.npy"))
    rounds_us = _rounds_us(model, np.load(files[0], mmap_mode="r"))
    peak_mb = _peak_mb()  # before whole test sets are read
    for file in files:
        np.save(work / file.name.replace("sequence_", "answers_"), model.play(np.load(file)))
    sys.stdout.write(json.dumps({"rounds_us": rounds_us, "peak_mb": peak_mb}))


def _rounds_us(model: Cell | Classifier, inputs: NDArray[np.float32]) -> list[float]:
    """Median time of an answer in each round; the first round, in which caches fill, is not among them."""
    some = np.array(inputs[: 2 * _AT_LEAST])
    state = np.zeros((1, model.state_size), np.float32) if isinstance(model, Cell) else None
    medians_us: list[float] = []
    for _ in range(_ROUNDS + 1):
        took_ns: list[int] = []
        while sum(took_ns) < _ROUND_NS or len(took_ns) < _AT_LEAST:
            for one in islice(some, _AT_LEAST):
                begun_ns = time.perf_counter_ns()
                if isinstance(model, Cell):
                    model.step(one[None], state)  # type: ignore[arg-type]
                else:
                    model.logits(one[None])
                took_ns.append(time.perf_counter_ns() - begun_ns)
        medians_us.append(float(np.median(took_ns)) / 1000)
    return medians_us[1:]


def _peak_mb() -> float:
    """The largest resident set of this process; what it was forked from does not count."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


if __name__ == "__main__":
    main(*sys.argv[1:])
