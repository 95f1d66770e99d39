"""Run the inputs that a fuzz run has kept once more, to see what they cover.

python -m tests.fuzz.replay GROUP CORPORA
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":
    group = import_module(f"tests.fuzz.{sys.argv[1]}")
    for name in group.TARGETS:
        run = group.target(name)
        for file in (Path(sys.argv[2]) / name).iterdir():
            run(file.read_bytes())
