"""Run the inputs that a fuzz run has kept once more, to see what they cover: `python -m tests.fuzz.replay CORPORA`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fuzz.targets import TARGETS, target

if __name__ == "__main__":
    for name in TARGETS:
        run = target(name)
        for file in (Path(sys.argv[1]) / name).iterdir():
            run(file.read_bytes())
