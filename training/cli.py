"""`edge-train`: builds the models from recordings."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edge_agent.errors import HeartlineError
from training.errors import TrainingError

if TYPE_CHECKING:
    from training.workout.fit import Epoch

_NEEDED = ("tensorflow", "sklearn", "matplotlib", "jinja2", "tqdm", "distributed")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    # Before numpy is loaded: TensorFlow has threads of its own, and what else is solved here is small.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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
    workout.add_argument(
        "--unseen-seeds",
        type=_positive,
        metavar="N",
        help="as often without each group of people (default: as --seeds)",
    )
    workout.add_argument("--epochs", type=_positive, metavar="N", help="passes over the data at most")
    workout.add_argument("--hidden", type=_positive, metavar="N", help="LSTM units")
    workout.add_argument(
        "--simulated", type=_positive, default=0, metavar="N", help="first train on N made-up athletes"
    )
    workout.add_argument(
        "--scheduler", metavar="ADDRESS", help="prepare on the Dask cluster there, e.g. tcp://host:8786, not here"
    )
    workout.set_defaults(command=_workout)

    recovery = commands.add_parser("recovery", help="train the recovery forecast and report on it")
    recovery.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with recordings")
    recovery.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model and its report")
    recovery.add_argument("--seeds", type=_positive, default=3, metavar="N", help="train N times (default %(default)s)")
    recovery.set_defaults(command=_recovery)

    activity = commands.add_parser("activity", help="train the recognition of activities and report on it")
    activity.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with acceleration")
    activity.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the model and its report")
    activity.add_argument(
        "--seeds", type=_positive, default=3, metavar="N", help="train N times for each person left out (%(default)s)"
    )
    activity.add_argument("--steps", type=_positive, metavar="N", help="steps of each training")
    activity.set_defaults(command=_activity)

    personal = commands.add_parser(
        "personal", help="fine-tune the shipped model to one person and say whether it helped"
    )
    personal.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="that person's export")
    personal.add_argument("--out", type=Path, metavar="DIR", help="folder for the fine-tuned model")
    personal.set_defaults(command=_personal)

    evaluate = commands.add_parser("evaluate", help="score a workout or recovery bundle, run as the device runs it")
    evaluate.add_argument("--bundle", type=Path, required=True, metavar="FILE", help="bundle to score")
    evaluate.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with recordings")
    evaluate.set_defaults(command=_evaluate)

    compare = commands.add_parser("compare", help="train every architecture of the zoo on a task and compare them")
    compare.add_argument("task", choices=("workout", "recovery", "activity"), metavar="TASK", help="%(choices)s")
    compare.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with recordings")
    compare.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the table and its picture")
    compare.add_argument("--seeds", type=_positive, default=1, metavar="N", help="train N times (default %(default)s)")
    compare.set_defaults(command=_compare)

    inspect = commands.add_parser("inspect", help="show every step from recordings to what a model is trained on")
    inspect.add_argument("data", type=Path, metavar="DATA", help="folder with recordings")
    inspect.add_argument(
        "--out", type=Path, default=Path("inspection"), metavar="DIR", help="folder for the page (default %(default)s)"
    )
    inspect.set_defaults(command=_inspect)
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
    from training.prepare import workers
    from training.workout.fit import Settings
    from training.workout.run import REPORT, run, trainings
    from training.workout.team import Team

    chosen = {name: getattr(arguments, name) for name in ("epochs", "hidden") if getattr(arguments, name)}
    team = Team.from_environment()
    settings = Settings(**chosen, team=team)
    with workers(arguments.scheduler) as client:
        dataset = load(arguments.data, lambda sources: tqdm(sources, desc="recordings", unit=""), client)
    for error in dataset.errors:
        print(f"edge-train: {error}", file=sys.stderr)
    chief = team is None or team.index == 0
    with (
        TemporaryDirectory() as scratch,
        tqdm(
            total=trainings(dataset, arguments.seeds, arguments.unseen_seeds) * settings.epochs,
            unit="epoch",
            disable=not chief,
        ) as bar,
    ):

        def show(what: str, epoch: Epoch) -> None:
            bar.set_description(what)
            bar.set_postfix(train=f"{epoch.train_loss:.3f}", validation=f"{epoch.validation_loss:.3f}")
            bar.update()

        # The workers of a team come to the same result; one of them keeps it.
        out = arguments.out if chief else Path(scratch)
        run(
            dataset,
            out,
            seeds=arguments.seeds,
            settings=settings,
            unseen_seeds=arguments.unseen_seeds,
            simulated=arguments.simulated,
            on_epoch=show,
        )
    if chief:
        print(f"wrote {arguments.out / REPORT}")


def _recovery(arguments: argparse.Namespace) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tqdm import tqdm

    from training.recovery.fit import Settings
    from training.recovery.run import REPORT, run

    with tqdm(unit="step") as bar:

        def show(what: str, total: int) -> None:
            bar.total = total
            bar.set_description(what)
            bar.update()

        run(arguments.data, arguments.out, seeds=arguments.seeds, settings=Settings(), on_step=show)
    print(f"wrote {arguments.out / REPORT}")


def _activity(arguments: argparse.Namespace) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tqdm import tqdm

    from training.activity.dataset import load
    from training.activity.fit import Settings
    from training.activity.run import REPORT, run, trainings

    settings = Settings(steps=arguments.steps) if arguments.steps else Settings()
    dataset = load(arguments.data, lambda recordings: tqdm(recordings, desc="recordings", unit=""))
    for what in dataset.left_out:
        print(f"edge-train: left out: {what}", file=sys.stderr)
    with tqdm(total=trainings(dataset, arguments.seeds) * settings.steps, unit="step") as bar:

        def show(what: str) -> None:
            bar.set_description(what)
            bar.update()

        run(
            dataset, arguments.out, seeds=arguments.seeds, settings=settings, on_step=show, on_stage=bar.set_description
        )
    print(f"wrote {arguments.out / REPORT}")


def _personal(arguments: argparse.Namespace) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tqdm import tqdm

    from edge_agent.inference.bundle import read_bundle
    from edge_agent.inference.forecast import SHIPPED_BUNDLE
    from training.dataset import load
    from training.personal.run import SETTINGS, personalise, write
    from training.personal.verdict import markdown

    bundle = read_bundle(SHIPPED_BUNDLE)
    dataset = load(arguments.data, lambda sources: tqdm(sources, desc="recordings", unit=""))
    for error in dataset.errors:
        print(f"edge-train: {error}", file=sys.stderr)
    with tqdm(total=SETTINGS.epochs, desc="fine-tuning", unit="epoch") as bar:
        personal = personalise(dataset, bundle, on_epoch=lambda _: bar.update())
    for session in personal.left_out:
        recording = session.recording
        print(f"edge-train: left out: {recording.session} ({recording.source}) overlaps another one", file=sys.stderr)
    print(markdown(personal.outcome))
    if arguments.out:
        write(arguments.out, personal, bundle)
        print(f"\nwrote {arguments.out}")


def _evaluate(arguments: argparse.Namespace) -> None:
    from edge_agent.inference.bundle import read_bundle
    from edge_agent.recordings.read import read_recordings
    from training.dataset import load
    from training.device import evaluate
    from training.recovery import populations

    if read_bundle(arguments.bundle).manifest.task == "recovery":
        parts = populations.evaluate(arguments.bundle, read_recordings(arguments.data)[0])
    else:
        parts = evaluate(
            arguments.bundle, load(arguments.data), lambda method: print(f"scored {method}", file=sys.stderr)
        )
    for part in parts:
        print(part, end="\n\n")


def _compare(arguments: argparse.Namespace) -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tqdm import tqdm

    from training.zoo.compare import TASKS, compare, trainings, write
    from training.zoo.forms import convert
    from training.zoo.page import PAGE
    from training.zoo.protocol import Protocol

    problem = TASKS[arguments.task](arguments.data)
    with tqdm(total=trainings(problem, arguments.seeds), unit="training") as bar:

        def show(name: str) -> None:
            bar.set_description(name)
            bar.update()

        comparison = compare(problem, seeds=arguments.seeds, protocol=Protocol(), convert=convert, on_training=show)
    write(comparison, arguments.out)
    print(f"wrote {arguments.out / PAGE}")


def _inspect(arguments: argparse.Namespace) -> None:
    from training.inspect.account import text
    from training.inspect.page import write
    from training.inspect.run import inspect

    accounts = inspect(arguments.data)
    for account in accounts:
        print(f"{account.kind}\n{text(account.steps)}\n")
        for oddity in account.oddities:
            print(f"edge-train: {oddity.where}: {oddity.what}", file=sys.stderr)
    print(f"wrote {write(accounts, arguments.data.resolve().name, arguments.out)}")
