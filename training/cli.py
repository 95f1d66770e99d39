"""`edge-train`: builds the models from recordings."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.errors import HeartlineError
from training.errors import TrainingError

if TYPE_CHECKING:
    from training.workout.fit import Epoch

_NEEDED = ("tensorflow", "sklearn", "matplotlib", "tqdm")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        _check_extras()
        arguments.command(arguments)
    except (TrainingError, HeartlineError) as error:
        print(f"edge-train: {error}", file=sys.stderr)
        return 2
    return 0


def _check_extras() -> None:
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        msg = f"{', '.join(missing)} not installed; run: pip install 'heartline[train]'"
        raise TrainingError(msg)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="edge-train", description=__doc__.partition(": ")[2])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    workout = commands.add_parser("workout", help="train the heart-rate forecast and report on it")
    workout.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with recordings")
    workout.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model and its report")
    workout.add_argument("--seeds", type=_positive, default=3, metavar="N", help="train N times (default %(default)s)")
    workout.add_argument("--epochs", type=_positive, metavar="N", help="passes over the data at most")
    workout.add_argument("--hidden", type=_positive, metavar="N", help="LSTM units")
    workout.set_defaults(command=_workout)

    evaluate = commands.add_parser("evaluate", help="score a bundle on recordings, run as the device runs it")
    evaluate.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="bundle to score")
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with recordings")
    evaluate.set_defaults(command=_evaluate)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        msg = f"{text} is not a whole number above 0"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _workout(arguments: argparse.Namespace) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are of no use here
    from tqdm import tqdm

    from training.dataset import load
    from training.workout.fit import Settings
    from training.workout.run import REPORT, run, trainings

    chosen = {name: getattr(arguments, name) for name in ("epochs", "hidden") if getattr(arguments, name)}
    settings = Settings(**chosen)
    dataset = load(arguments.data, lambda recordings: tqdm(recordings, desc="recordings", unit=""))
    for error in dataset.errors:
        print(f"edge-train: {error}", file=sys.stderr)
    with tqdm(total=trainings(dataset, arguments.seeds) * settings.epochs, unit="epoch") as bar:

        def show(what: str, epoch: Epoch) -> None:
            bar.set_description(what)
            bar.set_postfix(train=f"{epoch.train_loss:.3f}", validation=f"{epoch.validation_loss:.3f}")
            bar.update()

        run(dataset, arguments.out, seeds=arguments.seeds, settings=settings, on_epoch=show)
    print(f"wrote {arguments.out / REPORT}")


def _evaluate(arguments: argparse.Namespace) -> None:
    from training.dataset import HORIZONS_S, load
    from training.device import environment, evaluate, scored_name, scored_origins
    from training.tables import table

    dataset = load(arguments.data)
    rows = []
    for row in evaluate(arguments.bundle, dataset):
        print(f"scored {row.method}", file=sys.stderr)
        took = "" if row.second_us is None else f"{row.second_us:.0f}"
        rows.append([row.method, *(f"{mae:.3f}" for mae in row.mae_bpm), took])
    counted = "/".join(map(str, scored_origins(dataset)))
    ahead = [f"{h} s" for h in HORIZONS_S]
    print(f"{environment(arguments.bundle)}\n")
    print(f"Mean absolute error in bpm on {scored_name(dataset)}, {counted} origins at {'/'.join(ahead)}.\n")
    print(table(["method", *ahead, "one second takes (µs)"], rows))
