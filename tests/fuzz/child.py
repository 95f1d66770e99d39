"""Fuzz one target in a process of its own: `python -m tests.fuzz.child NAME [libFuzzer's arguments]`.

On a finding libFuzzer writes the input down and ends with another status than 0.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["edge_agent.sensors.profiles"]):
    from tests.fuzz.targets import target

if __name__ == "__main__":
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target(sys.argv[1]))
    atheris.Fuzz()
