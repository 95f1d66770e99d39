"""`edge-convert`: turns a trained model into a verified bundle, and checks bundles."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ConversionError
from converters.recipes import BY_NAME, RECIPES
from edge_agent.errors import HeartlineError
from training.errors import TrainingError

if TYPE_CHECKING:
    from converters.compare import Environments
    from converters.pack import Conversion
    from converters.verify import Comparison

_EPILOG = """\
edge-convert MODEL --out FILE      converts, compares every form with the float model on both runtimes, and packs the
                                   forms that win; FILE.md beside it is the model card
edge-convert MODEL.keras --inputs INPUTS.npy --json
                                   what every recipe makes of any Keras model with a batch of one
edge-convert all MODELS --data DIR --out FOLDER --page FILE
                                   packs every model of a folder, and writes the table of all recipes and runtimes
edge-convert unseen NETWORKS --data DIR --page FILE
                                   every form of the activity model on people its networks have not seen: the folder
                                   `networks` that edge-train activity wrote
edge-convert verify BUNDLE         checks hashes, schema, licences and golden pairs, every form on every runtime

Each runtime is run in an environment of its own, with the Python and numpy that a device has beside it, which uv makes
on first use and keeps in ~/.cache/heartline; --here takes what is installed beside this command instead.

recipes:
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        return _COMMANDS[argv[0]](argv[1:]) if argv and argv[0] in _COMMANDS else _convert(argv)
    except (ConversionError, TrainingError, HeartlineError) as error:
        print(f"edge-convert: {error}", file=sys.stderr)
        return 2


def _convert(argv: Sequence[str]) -> int:
    recipes = "\n".join(
        f"  {r.name:23} {(r.apply.__doc__ or '').partition(':')[0].strip()}\n{'':26}serves {r.serves}, on {r.meant_for}"
        for r in RECIPES
    )
    parser = argparse.ArgumentParser(
        prog="edge-convert",
        description="Turns a trained model into a verified bundle.",
        epilog=_EPILOG + recipes,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder that edge-train wrote, or a .keras file")
    parser.add_argument("--recipe", choices=["all", *BY_NAME], default="all", help="to convert by (all)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="bundle to write; its card goes beside")
    parser.add_argument("--data", type=Path, metavar="DIR", help="recordings to score every form on")
    parser.add_argument("--inputs", type=Path, metavar="FILE", help="for a .keras file: inputs of it, in a .npy file")
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    parser.add_argument("--here", action="store_true", help="run the runtimes that are installed beside this command")
    arguments = parser.parse_args(argv)
    _require_tensorflow()
    if arguments.model.suffix == ".keras":
        if arguments.inputs is None or arguments.out is not None:
            parser.error(
                "a .keras file wants --inputs, and no --out: a bundle is made of a folder that edge-train wrote"
            )
        return _compare(arguments)
    return _pack(arguments)


def _compare(arguments: argparse.Namespace) -> int:
    import numpy as np

    from converters.card import as_json, comparison_table
    from converters.compare import compare

    try:
        inputs = np.load(arguments.inputs, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        msg = f"{arguments.inputs}: not a .npy file ({error}); write the model's inputs with numpy.save"
        raise ConversionError(msg) from error
    recipes = RECIPES if arguments.recipe == "all" else (BY_NAME[arguments.recipe],)
    comparisons = compare(
        arguments.model, inputs, _environments(here=arguments.here), recipes=recipes, on_comparison=_show
    )
    print(as_json(comparisons, {}) if arguments.json else comparison_table(comparisons, {}))
    return 0


def _pack(arguments: argparse.Namespace) -> int:
    from training.manifest import read_manifest

    trained = read_manifest(arguments.model)

    from converters.card import as_json, comparison_table
    from converters.pack import convert

    recipes = RECIPES if arguments.recipe == "all" else (BY_NAME[arguments.recipe],)
    conversion = convert(
        trained,
        arguments.model,
        _environments(here=arguments.here),
        data=arguments.data,
        recipes=recipes,
        on_comparison=_show,
    )
    comparisons, failed = conversion.comparisons, conversion.failed
    if arguments.json:
        print(as_json(comparisons, failed))
    elif not arguments.out:
        print(comparison_table(comparisons, failed))
    if arguments.out:
        _write(conversion, arguments.out)
        for (recipe, runtime), reason in {**comparisons.refused, **failed}.items():
            print(f"left out: {recipe} on {runtime}: {reason}", file=sys.stderr)
        for winner in conversion.winners:
            print(f"{winner.comparison.runtime}: {winner.comparison.recipe}, {winner.why}", file=sys.stderr)
        print(f"wrote {arguments.out} and {arguments.out.with_suffix('.md')}", file=sys.stderr)
    return 0


def _write(conversion: Conversion, out: Path) -> None:
    """Write a bundle, and its card beside it."""
    from converters.card import card
    from converters.pack import pack

    manifest = pack(conversion, out)
    text = card(manifest, conversion, bundle_bytes=out.stat().st_size)
    out.with_suffix(".md").write_text(text, encoding="utf-8")


def _verify(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="edge-convert verify", description="Checks a bundle.")
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="to check")
    parser.add_argument("--here", action="store_true", help="run the runtimes that are installed beside this command")
    arguments = parser.parse_args(argv)

    from converters.check import check

    for line in check(arguments.bundle, _environments(here=arguments.here)):
        print(line)
    return 0


def _all(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="edge-convert all", description="Packs every trained model of a folder.")
    parser.add_argument("models", type=Path, metavar="MODELS", help="folder of folders that edge-train wrote")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="recordings to score every form on")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the bundles and their cards")
    parser.add_argument("--page", type=Path, required=True, metavar="FILE", help="Markdown page to write")
    arguments = parser.parse_args(argv)
    _require_tensorflow()

    from converters.pack import convert
    from converters.table import page
    from training.manifest import read_manifest

    environments, conversions = _environments(here=False), []
    for folder in sorted(path for path in arguments.models.iterdir() if path.is_dir()):
        trained = read_manifest(folder)
        conversion = convert(trained, folder, environments, data=arguments.data, on_comparison=_show)
        _write(conversion, arguments.out / f"{trained.task}.zip")
        conversions.append(conversion)
    arguments.page.write_text(page(conversions), encoding="utf-8")
    print(f"wrote {len(conversions)} bundles to {arguments.out}, and {arguments.page}", file=sys.stderr)
    return 0


def _require_tensorflow() -> None:
    if find_spec("tensorflow") is None:
        msg = "tensorflow is not installed; run: pip install 'heartline[train]'"
        raise ConversionError(msg)


def _unseen(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="edge-convert unseen", description="Scores every form of the activity model on people left out."
    )
    parser.add_argument("networks", type=Path, metavar="NETWORKS", help="folder that edge-train keeps networks in")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="recordings that they were trained on")
    parser.add_argument("--page", type=Path, required=True, metavar="FILE", help="Markdown page to write")
    parser.add_argument("--here", action="store_true", help="run the runtimes that are installed beside this command")
    arguments = parser.parse_args(argv)
    _require_tensorflow()

    from converters.unseen import page, unseen
    from training.activity.dataset import load
    from training.activity.fit import Settings

    environments = _environments(here=arguments.here)
    found = unseen(
        arguments.networks,
        load(arguments.data),
        environments,
        settings=Settings(),
        on_fold=lambda what: print(what, file=sys.stderr),
    )
    arguments.page.write_text(page(found, environments), encoding="utf-8")
    print(f"wrote {arguments.page}", file=sys.stderr)
    return 0


def _environments(*, here: bool) -> Environments:
    from converters import environments
    from edge_agent.inference.choice import cache_folder

    cache = cache_folder(os.environ)
    if here:
        return environments.here()
    if cache is None:
        msg = "there is no folder to keep the runtimes' environments in; set HOME or XDG_CACHE_HOME, or take --here"
        raise ConversionError(msg)
    return environments.own(cache / "runtimes")


def _show(comparison: Comparison) -> None:
    print(
        f"{comparison.recipe:24} {comparison.runtime:16} {comparison.model_bytes:8} bytes  "
        f"{comparison.deviation.mean:.2g} off in the mean, {comparison.deviation.largest:.2g} at most  "
        f"{comparison.us:.1f} µs",
        file=sys.stderr,
    )


_COMMANDS = {"verify": _verify, "all": _all, "unseen": _unseen}
