"""Fuzz every parser and every decoder in turn and print what was done, as Markdown."""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from math import ceil
from pathlib import Path

from edge_agent.sensors.profiles.registry import CHARACTERISTICS
from edge_agent.sensors.profiles.uuids import shortest
from tests.architecture.imports import REPOSITORY
from tests.fuzz.targets import TARGETS, seeds

_LONGEST_INPUT = {"parse": 256, "stream": 512}  # bytes; a value of an attribute has at most 512
_SEED = 1
_PROFILES = "edge_agent/sensors/profiles"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What libFuzzer said of one target.

    Attributes:
        target: its name.
        inputs: how many were run.
        edges: how many edges of the profiles' code they reached.
        kept: inputs that reached something new.
    """

    target: str
    inputs: int
    edges: int
    kept: int


def fuzz(name: str, inputs: int, corpus: Path) -> Outcome:
    """Run one target.

    Raises:
        SystemExit: there is a finding; it has been printed.
    """
    corpus.mkdir()
    for n, seed in enumerate(seeds(name)):
        (corpus / f"seed-{n}").write_bytes(seed)
    longest = _LONGEST_INPUT[name.split(maxsplit=1)[0]]
    arguments = [f"-runs={inputs}", f"-seed={_SEED}", f"-max_len={longest}", "-print_final_stats=1", str(corpus)]
    done = _python("-m", "tests.fuzz.child", name, *arguments)
    if done.returncode:
        sys.exit(f"{name}: a finding\n{done.stderr}")
    return Outcome(
        name,
        inputs=int(re.findall(r"number_of_executed_units: (\d+)", done.stderr)[-1]),
        edges=int(re.findall(r"cov: (\d+)", done.stderr)[-1]),
        kept=int(re.findall(r"corp: (\d+)", done.stderr)[-1]),
    )


def coverage(corpora: Path) -> str:
    """Statements and branches of each module that the kept inputs run, as a Markdown table."""
    data = f"--data-file={corpora / 'coverage'}"
    _python(
        "-m", "coverage", "run", data, "--branch", f"--include={_PROFILES}/*", "-m", "tests.fuzz.replay", str(corpora)
    )
    return _python("-m", "coverage", "report", data, "--format=markdown").stdout


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def main() -> None:
    """Run all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=2_400_000, help="altogether (default: %(default)d)")
    inputs = parser.parse_args().inputs
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        corpora = Path(directory)
        outcomes = [fuzz(name, ceil(inputs / len(TARGETS)), corpora / name) for name in TARGETS]
        took_s = time.monotonic() - began_s
        covered = coverage(corpora)
    print("| target | inputs | edges reached | inputs kept |\n|---|--:|--:|--:|")
    for outcome in outcomes:
        kind, uuid = outcome.target.split()
        name = f"{kind} {shortest(uuid)} {CHARACTERISTICS[uuid].name}"
        print(f"| {name} | {outcome.inputs:,} | {outcome.edges} | {outcome.kept} |")
    total = sum(outcome.inputs for outcome in outcomes)
    print(f"\n{total:,} inputs in {took_s:.0f} s, no finding. {_machine()}, Python {platform.python_version()},")
    print(f"atheris {version('atheris')}, libFuzzer's seed {_SEED}. What the kept inputs cover:\n\n{covered}")


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*: (.+)$", info, re.MULTILINE)
    return f"One core of {model[1] if model else platform.machine()}"


if __name__ == "__main__":
    main()
