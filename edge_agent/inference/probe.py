"""Child process of `edge_agent.inference.choice`: lets one runtime answer the golden pairs of one form.

    python -m edge_agent.inference.probe RUNTIME STATE_SIZE < PAIRS

PAIRS is an .npz of the model's bytes and the golden pairs; STATE_SIZE is 0 for a classifier. The largest deviation is
printed. A runtime may end the process on a model it cannot run, or on any: here that costs a child.
"""

from __future__ import annotations

import io
import sys

import numpy as np

from edge_agent.inference.runtime import load


def main(runtime: str, state_size: str) -> None:
    """Print how far off the answers are."""
    pairs = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False)
    model = load(pairs["model"].tobytes(), recipe="", runtime=runtime, state_size=int(state_size) or None)
    error = float(np.abs(model.play(pairs["inputs"]) - pairs["outputs"]).max())
    sys.stdout.write(f"{error!r}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
