"""`edge-convert`: turns a trained model into a verified bundle."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ConversionError
from edge_agent.errors import HeartlineError
from training.errors import TrainingError

if TYPE_CHECKING:
    from converters.verify import Comparison


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="edge-convert", description=__doc__.partition(": ")[2])
    parser.add_argument("model", type=Path, metavar="DIR", help="folder that edge-train wrote")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="bundle to write; its card goes beside")
    arguments = parser.parse_args(argv)
    try:
        _convert(arguments.model, arguments.out)
    except (ConversionError, TrainingError, HeartlineError) as error:
        print(f"edge-convert: {error}", file=sys.stderr)
        return 2
    return 0


def _convert(folder: Path, out: Path) -> None:
    if find_spec("tensorflow") is None:
        msg = "tensorflow is not installed; run: pip install 'heartline[train]'"
        raise ConversionError(msg)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are of no use here
    from training.manifest import read_manifest

    trained = read_manifest(folder)

    from converters.card import card
    from converters.pack import convert

    conversion = convert(trained, folder, out, on_comparison=_show)
    for reason in conversion.refused:
        print(f"edge-convert: left out: {reason}", file=sys.stderr)
    text = card(conversion.manifest, conversion.comparisons, limits=trained.limits, bundle_bytes=out.stat().st_size)
    out.with_suffix(".md").write_text(text, encoding="utf-8")
    print(f"wrote {out} and {out.with_suffix('.md')}")


def _show(comparison: Comparison) -> None:
    print(
        f"{comparison.recipe:24} {comparison.runtime:16} {comparison.model_bytes:8} bytes  "
        f"largest error {comparison.max_error_bpm:.2g} bpm  step {comparison.step_us:.1f} µs"
    )
