"""Child process of `converters.verify`: runs one model over a sequence on one runtime.

    python -m converters.answer RUNTIME STATE_SIZE MODEL INPUTS OUTPUTS

A runtime may end the process on a model it cannot run; here that costs a child and not the conversion.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from edge_agent.inference.runtime import Cell


def main(runtime: str, state_size: str, model: str, inputs: str, outputs: str) -> None:
    """Write the cell's answers, and print the median time of a step in microseconds."""
    cell = Cell(Path(model).read_bytes(), recipe="", runtime=runtime, state_size=int(state_size))
    x = np.load(inputs)
    state = np.zeros((1, cell.state_size), np.float32)
    answers, took_ns = [], []
    for row in x:
        start_ns = time.perf_counter_ns()
        y, state = cell.step(row[None], state)
        took_ns.append(time.perf_counter_ns() - start_ns)
        answers.append(y[0])
    np.save(outputs, np.array(answers, np.float32))
    print(float(np.median(took_ns)) / 1000)  # noqa: T201 - this is how a child answers


if __name__ == "__main__":
    main(*sys.argv[1:])
