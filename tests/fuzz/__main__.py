"""Fuzz every target of a group in turn and print what was done, as Markdown."""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from math import ceil
from pathlib import Path
from types import ModuleType

from tests.architecture.imports import REPOSITORY

_SEED = 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What libFuzzer said of one target.

    Attributes:
        title: of the target.
        inputs: how many were run.
        edges: how many edges of the instrumented code they reached.
        kept: inputs that reached something new.
    """

    title: str
    inputs: int
    edges: int
    kept: int


def fuzz(group: ModuleType, name: str, inputs: int, corpus: Path) -> Outcome:
    """Run one target.

    Raises:
        SystemExit: there is a finding; it has been printed.
    """
    corpus.mkdir()
    for n, seed in enumerate(group.seeds(name)):
        (corpus / f"seed-{n}").write_bytes(seed)
    longest = group.longest(name)
    arguments = [f"-runs={inputs}", f"-seed={_SEED}", f"-max_len={longest}", "-print_final_stats=1", str(corpus)]
    done = _python("-m", "tests.fuzz.child", _short(group), name, *arguments)
    if done.returncode:
        sys.exit(f"{name}: a finding\n{done.stderr}")
    return Outcome(
        group.title(name),
        inputs=int(re.findall(r"number_of_executed_units: (\d+)", done.stderr)[-1]),
        edges=int(re.findall(r"cov: (\d+)", done.stderr)[-1]),
        kept=int(re.findall(r"corp: (\d+)", done.stderr)[-1]),
    )


def coverage(group: ModuleType, corpora: Path) -> str:
    """Statements and branches of each module that the kept inputs run, as a Markdown table."""
    data, include = f"--data-file={corpora / 'coverage'}", f"--include={','.join(group.COVERED)}"
    replay = ("-m", "tests.fuzz.replay", _short(group), str(corpora))
    _python("-m", "coverage", "run", data, "--branch", include, *replay)
    return _python("-m", "coverage", "report", data, "--format=markdown").stdout


def _short(group: ModuleType) -> str:
    return group.__name__.rpartition(".")[2]


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def main() -> None:
    """Run all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=2_400_000, help="altogether (default: %(default)d)")
    parser.add_argument("group", choices=["profiles", "inbound"], help="what is fuzzed")
    args = parser.parse_args()
    group = import_module(f"tests.fuzz.{args.group}")
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        corpora = Path(directory)
        share = args.inputs / sum(map(group.weight, group.TARGETS))
        outcomes = [fuzz(group, name, ceil(share * group.weight(name)), corpora / name) for name in group.TARGETS]
        took_s = time.monotonic() - began_s
        covered = coverage(group, corpora)
    print("| target | inputs | edges reached | inputs kept |\n|---|--:|--:|--:|")
    for outcome in outcomes:
        print(f"| {outcome.title} | {outcome.inputs:,} | {outcome.edges} | {outcome.kept} |")
    total = sum(outcome.inputs for outcome in outcomes)
    print(f"\n{total:,} inputs in {took_s:.0f} s, no finding. {_machine()}, Python {platform.python_version()},")
    print(f"atheris {version('atheris')}, libFuzzer's seed {_SEED}. What the kept inputs cover:\n\n{covered}")


def _machine() -> str:
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"^model name\s*: (.+)$", info, re.MULTILINE)
    return f"One core of {model[1] if model else platform.machine()}"


if __name__ == "__main__":
    main()
