"""Feeds mutated bundles to the reader: `python -m tests.fuzz_bundles [COUNT] [SEED]`.

Every one has to be refused with the one error that says so, or to be read; what is read has to hold the models and
golden pairs of the bundle it was made of, since a hash stands for each. Anything else ends the run with the seed that
shows it.
"""

from __future__ import annotations

import io
import json
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import MANIFEST, Bundle, read_bundle
from edge_agent.inference.forecast import SHIPPED_BUNDLE

_COUNT = 20_000
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**63, 1e308, "", "../x", "\0", [], {}, [[]] * 9, "x" * 9999, {"kind": "window-classifier"},
)  # fmt: skip


def mutated(content: bytes, random: Random) -> bytes:
    """A bundle with something wrong in it: in its bytes, in its members, or in what its manifest says."""
    mutate = random.choice([_flip, _flip, _cut, _insert, _repeat, _members, _manifest, _manifest])
    return mutate(content, random)


def _flip(content: bytes, random: Random) -> bytes:
    changed = bytearray(content)
    for _ in range(random.choice([1, 1, 2, 8])):
        changed[random.randrange(len(changed))] = random.randrange(256)
    return bytes(changed)


def _cut(content: bytes, random: Random) -> bytes:
    begin = random.randrange(len(content))
    return content[:begin] + content[begin + random.choice([1, 4, 100, len(content)]) :]


def _insert(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.randbytes(random.choice([1, 4, 100])) + content[at:]


def _repeat(content: bytes, random: Random) -> bytes:
    """Copy a piece over another one: headers that contradict each other."""
    size = random.choice([4, 30, 46, 200])
    source, target = (random.randrange(max(len(content) - size, 1)) for _ in range(2))
    return content[:target] + content[source : source + size] + content[target + size :]


def _members(content: bytes, random: Random) -> bytes:
    def change(members: dict[str, bytes]) -> None:
        name = random.choice(list(members))
        match random.randrange(4):
            case 0:
                del members[name]
            case 1:
                members[random.choice(["../x.txt", "/x.txt", "x", "a/b.txt", "extra.txt"])] = members[name]
            case 2:
                members[name], members[MANIFEST] = members[MANIFEST], members[name]
            case _:
                members[name] = _flip(members[name], random)

    return _repacked(content, change)


def _manifest(content: bytes, random: Random) -> bytes:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members[MANIFEST])
        node: Any = manifest
        while True:
            key = random.choice(list(node)) if isinstance(node, dict) else random.randrange(len(node))
            deeper = node[key]
            if not isinstance(deeper, (dict, list)) or not deeper or random.random() < 0.2:
                break
            node = deeper
        if random.random() < 0.3:
            del node[key]
        else:
            node[key] = random.choice(_VALUES)
        members[MANIFEST] = json.dumps(manifest).encode()

    return _repacked(content, change)


def _repacked(content: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return out.getvalue()


def _unchanged(bundle: Bundle, original: Bundle) -> bool:
    return set(bundle.models.values()) <= set(original.models.values()) and all(
        np.array_equal(ours, theirs)
        for ours, theirs in (
            (bundle.golden_inputs, original.golden_inputs),
            (bundle.golden_outputs, original.golden_outputs),
        )
    )


def main(count: int, first_seed: int) -> int:
    """Feed so many bundles; 0 when each was refused or read rightly."""
    original, content = read_bundle(SHIPPED_BUNDLE), SHIPPED_BUNDLE.read_bytes()
    outcomes: Counter[str] = Counter()
    slowest_s = 0.0
    with TemporaryDirectory() as folder:
        path = Path(folder) / "b.zip"
        for seed in range(first_seed, first_seed + count):
            path.write_bytes(mutated(content, Random(seed)))  # noqa: S311 - the same bundle for the same seed
            begun_s = time.perf_counter()
            try:
                outcome = "read rightly" if _unchanged(read_bundle(path), original) else "READ WRONGLY"
            except BundleError as refusal:
                outcome = "refused: " + str(refusal).removeprefix(f"{path}: ").partition(" (")[0].partition(";")[0][:50]
            except BaseException:
                sys.stdout.write(f"seed {seed}\n")
                raise
            slowest_s = max(slowest_s, time.perf_counter() - begun_s)
            outcomes[outcome] += 1
            if outcome == "READ WRONGLY":
                sys.stdout.write(f"seed {seed}: {outcome}\n")
                return 1
    refused = sum(n for outcome, n in outcomes.items() if outcome.startswith("refused"))
    sys.stdout.write(
        f"{count} mutated bundles (seeds {first_seed} to {first_seed + count - 1}): {refused} refused, "
        f"{outcomes['read rightly']} read rightly, none otherwise; the slowest took {slowest_s:.2f} s\n"
    )
    for outcome, n in outcomes.most_common(12):
        sys.stdout.write(f"  {n:6} {outcome}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in (sys.argv[1:] + [str(_COUNT), "0"][len(sys.argv) - 1 :]))))
