"""Fuzz one target in a process of its own: `python -m tests.fuzz.child GROUP NAME [libFuzzer's arguments]`.

On a finding libFuzzer writes the input down and ends with another status than 0.
"""

from __future__ import annotations

import sys
from importlib import import_module

import atheris

from tests.fuzz.mutation import mutate_json

# What is instrumented may not have been imported before, so the packages are named here as well as in the groups.
_INSTRUMENTED = {
    "profiles": ["edge_agent.sensors.profiles"],
    "inbound": ["edge_agent.sync", "edge_agent.store.identifiers", "heartline_backend.messages", "paho"],
}

if __name__ == "__main__":
    group_name, name, *arguments = sys.argv[1:]
    with atheris.instrument_imports(include=_INSTRUMENTED[group_name]):
        group = import_module(f"tests.fuzz.{group_name}")
    mutator = {"custom_mutator": mutate_json} if name in group.JSON_TARGETS else {}
    atheris.Setup([sys.argv[0], *arguments], group.target(name), **mutator)
    atheris.Fuzz()
