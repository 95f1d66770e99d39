"""The `edge-agent` command. Each sub-command imports what it needs, so that a quick one stays quick."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent import __version__
from edge_agent.demo import command as demo_command
from edge_agent.errors import HeartlineError
from edge_agent.sensors import cli as sensors_cli
from edge_agent.store import cli as store_cli

if TYPE_CHECKING:
    from edge_agent.agent.replay import ReplayLine
    from edge_agent.errors import RecordingError
    from edge_agent.recordings.recording import Recording
    from edge_agent.store.summary import ForecastScore

FAILED = 1
BAD_INPUT = 2

SHOWN_WEIGHT = 0.005  # of an expert, in `explain`: less rounds to 0 %


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    Returns:
        0 when all of it happened, 1 when some of it did not, 2 when the input is at fault.
    """
    # Before numpy is loaded: the largest matrix here has 290 rows, and a second core costs more time than it saves.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except HeartlineError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # whoever reads our output, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-agent",
        description="Heart-rate forecasts, a durable record and MQTT summaries from heart-rate straps.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="record from the claimed sensors until stopped")
    run.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file, see docs/configuration.md")
    run.set_defaults(run=_run)

    sensors_cli.add_commands(commands)

    demo = commands.add_parser("demo", help="try the whole agent on a virtual strap, radio and broker")
    demo_command.add_arguments(demo)
    demo.set_defaults(run=demo_command.run)

    replay = commands.add_parser("replay", help="feed recordings through the agent's pipeline")
    replay.add_argument("files", type=Path, nargs="+", metavar="FILE", help="recordings or folders of them, in order")
    replay.add_argument("--athlete", metavar="NAME", help="whose they are (default: the person of each recording)")
    replay.add_argument("--state", type=Path, metavar="DIR", help="keep sessions and what is learned in this folder")
    replay.add_argument(
        "--placement",
        choices=("chest", "wrist"),
        help="the files are acceleration (CSV with t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2 at 20 to 200 Hz) from a sensor "
        "worn there: recognise what was done",
    )
    replay.add_argument(
        "--json", action="store_true", help="print one JSON object per second; with --placement, per window of 5 s"
    )
    replay.add_argument(
        "--target", type=float, metavar="BPM", help="heart rate to tell the time until after an effort (default: 120)"
    )
    replay.add_argument("--explain", action="store_true", help="with --json: say where each forecast comes from")
    replay.set_defaults(run=_replay)

    explain = commands.add_parser("explain", help="say which expert carries a forecast, and what each input does to it")
    explain.add_argument("file", type=Path, metavar="FILE", help="recording")
    explain.add_argument("--at", type=int, metavar="T_S", help="second of the forecast (default: the last one)")
    explain.add_argument("--athlete", metavar="NAME", help="whose it is (default: the person of the recording)")
    explain.add_argument("--state", type=Path, metavar="DIR", help="folder with what was learned of the athlete")
    explain.set_defaults(run=_explain)

    forget = commands.add_parser(
        "forget", help="delete what was learned of an athlete, or a sensor's claim and bond; recorded sessions stay"
    )
    what = forget.add_mutually_exclusive_group(required=True)
    what.add_argument("athlete", metavar="NAME", nargs="?", help="athlete")
    what.add_argument("--sensor", metavar="SENSOR", help="address or name of a claimed sensor")
    where = forget.add_mutually_exclusive_group(required=True)
    where.add_argument("--state", type=Path, metavar="DIR", help="folder given to run or replay")
    where.add_argument("--config", type=Path, metavar="FILE", help="configuration that names the folder")
    forget.set_defaults(run=_forget)

    store_cli.add_commands(commands)

    schema = commands.add_parser("schema", help="print the JSON Schema of what is published, or taken as a command")
    schema.add_argument(
        "kind", choices=["summary", "event", "tombstone", "live", "command", "answer"], help="kind of message"
    )
    schema.set_defaults(run=_schema)

    decode = commands.add_parser("decode", help="decode a Bluetooth characteristic")
    decode.add_argument(
        "uuid", metavar="UUID", help="of the characteristic: its assigned number, e.g. 2a37, or all 128 bits"
    )
    decode.add_argument("hex", nargs="+", metavar="HEX", help="its bytes")
    decode.set_defaults(run=_decode)
    return parser


def _run(args: argparse.Namespace) -> int:
    import asyncio

    from edge_agent.agent.agent import run_until_signalled
    from edge_agent.agent.clock import SystemClock
    from edge_agent.config import load_config
    from edge_agent.sensors.links.bluez import BlueZHost

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(run_until_signalled(load_config(args.config), clock=SystemClock(), host=BlueZHost()))
    return 0


def _replay(args: argparse.Namespace) -> int:
    if args.placement:
        return _replay_acceleration(args)
    import msgspec

    from edge_agent.agent.clock import SystemClock
    from edge_agent.agent.replay import new_session, replay
    from edge_agent.inference.choice import cache_folder
    from edge_agent.inference.models import DEFAULT_TARGET_BPM, RecoveryModel, WorkoutModel
    from edge_agent.store.journal import Journal
    from edge_agent.store.summary import score_forecasts, second_of

    cache = cache_folder(os.environ)
    model = WorkoutModel(args.state, cache=cache)
    recovery_model = RecoveryModel(args.target or DEFAULT_TARGET_BPM, cache=cache)
    unread: list[RecordingError] = []
    with Journal(args.state) if args.state else contextlib.nullcontext() as journal:
        for recording in _recordings(args.files, unread):
            athlete = args.athlete or recording.person
            session = new_session(recording, athlete=athlete, model_version=model.version, clock=SystemClock())
            known = journal is not None and journal.has_session(session.uuid)
            if known:
                print(f"edge-agent: {recording.session} is in the journal already, nothing is learned", file=sys.stderr)
            seconds = []
            lines = replay(recording, model, recovery_model, athlete, learn=not known, explain=args.explain)
            for frame, line in zip(recording.frames(), lines, strict=True):
                seconds.append(second_of(frame, line.forecast))
                if args.json:
                    print(msgspec.json.encode(line).decode())
            if not args.json:
                print(f"{recording.person} {recording.session}, {recording.duration_s} s")
                _print_scores(score_forecasts(seconds))
            if journal and not known:
                journal.import_session(session, seconds)
    return BAD_INPUT if unread else 0


def _replay_acceleration(args: argparse.Namespace) -> int:
    import msgspec

    from edge_agent.agent.replay_activity import replay_activity, stretches
    from edge_agent.inference.choice import cache_folder
    from edge_agent.inference.models import ActivityModel
    from edge_agent.recordings.read_acceleration import read_acceleration

    model = ActivityModel(cache=cache_folder(os.environ))
    unread = False
    for path in args.files:
        recordings, errors = read_acceleration(path)
        for error in errors:
            print(f"edge-agent: {error}", file=sys.stderr)
        unread |= bool(errors)
        for recording in recordings:
            recognised = replay_activity(recording, model, args.placement)
            if args.json:
                for recognition in recognised:
                    print(msgspec.json.encode(recognition.window).decode())
                continue
            print(f"{recording.person} {recording.session}, {recording.duration_s:.0f} s at {recording.rate_hz:.4g} Hz")
            for stretch in stretches(recognised):
                rate = f"{stretch.cadence_per_min:4.0f} per min" if stretch.cadence_per_min else ""
                print(
                    f"  {_clock(stretch.begin_s)} to {_clock(stretch.end_s)}  {stretch.activity:22s}"
                    f"{stretch.sure:4.0%} sure  {rate}".rstrip()
                )
    return BAD_INPUT if unread else 0


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60:3d}:{int(seconds) % 60:02d}"


def _recordings(files: Sequence[Path], unread: list[RecordingError]) -> Iterator[Recording]:
    """The recordings of files and folders, in order; what cannot be read is said, collected, and passed over."""
    from edge_agent.recordings.read import read_recordings

    for path in files:
        recordings, errors = read_recordings(path)
        for error in errors:
            print(f"edge-agent: {error}", file=sys.stderr)
        unread += errors
        yield from recordings


def _explain(args: argparse.Namespace) -> int:
    from edge_agent.agent.replay import replay
    from edge_agent.inference.choice import cache_folder
    from edge_agent.inference.models import RecoveryModel, WorkoutModel

    cache = cache_folder(os.environ)
    model, recovery_model = WorkoutModel(args.state, cache=cache), RecoveryModel(cache=cache)
    unread: list[RecordingError] = []
    for recording in _recordings([args.file], unread):
        print(f"{recording.person} {recording.session}")
        athlete = args.athlete or recording.person
        lines = list(replay(recording, model, recovery_model, athlete, learn=False, explain=True))
        explained = [line for line in lines if line.explanation and (args.at is None or line.t_s <= args.at)]
        if explained:
            _print_explanation(explained[-1])
        else:
            print("  no forecast up to there: there is no heart rate")
    return BAD_INPUT if unread else 0


def _print_explanation(line: ReplayLine) -> None:
    """Which expert carries a forecast, and what each input does to it."""
    print(f"  at {line.t_s} s, heart rate {line.heart_rate_bpm:.0f} bpm")
    explanation = line.explanation
    for horizon_s, quantiles in line.forecast.items():
        if explanation is None or quantiles is None:
            continue
        print(f"  in {horizon_s} s: {quantiles.q50:.1f} bpm ({quantiles.q10:.1f} to {quantiles.q90:.1f})")
        experts = sorted(explanation.experts[horizon_s].items(), key=lambda item: -item[1])
        print(
            "    carried by   "
            + ", ".join(f"{name} {weight:.0%}" for name, weight in experts if weight >= SHOWN_WEIGHT)
        )
        masked = ", ".join(f"{name} {moved[horizon_s]:+.1f} bpm" for name, moved in explanation.without.items())
        print(f"    moves when masked   {masked}")


def _forget(args: argparse.Namespace) -> int:
    from edge_agent.config import load_config
    from edge_agent.inference.models import WorkoutModel
    from edge_agent.sensors.links.bluez import BlueZHost
    from edge_agent.sensors.links.claims import Claims
    from edge_agent.store.journal import Journal

    config = load_config(args.config) if args.config else None
    directory = config.store.directory if config else args.state
    if args.sensor:
        listed = config.listed_sensors if config else ()
        forgotten = sensors_cli.forget_sensor(args.sensor, Claims(directory), listed, BlueZHost())
        print("forgotten" if forgotten else "no such sensor is claimed here")
        return 0 if forgotten else FAILED
    with Journal(directory):  # nobody may be learning it anew right now
        forgotten = WorkoutModel(directory).athletes.forget(args.athlete)
    print("forgotten" if forgotten else "nothing was learned of this athlete here")
    return 0 if forgotten else FAILED


def _print_scores(scores: Mapping[int, ForecastScore]) -> None:
    """Error of the forecasts, beside that of showing the last value."""
    for horizon_s, score in scores.items():
        if score.scored:
            print(
                f"  {horizon_s:3d} s ahead: {score.mae_bpm:5.2f} bpm off, "
                f"the last value {score.persistence_mae_bpm:5.2f} ({score.scored} forecasts)"
            )


def _schema(args: argparse.Namespace) -> int:
    from edge_agent.sync.schemas import schema_of

    print(json.dumps(schema_of(args.kind), indent=2))
    return 0


def _decode(args: argparse.Namespace) -> int:
    from edge_agent.sensors.profiles.registry import parse_characteristic

    try:
        data = bytes.fromhex("".join(args.hex))
    except ValueError as error:
        print(
            f"edge-agent: {' '.join(args.hex)!r} is not hex ({error}); write it like 143C0004",
            file=sys.stderr,
        )
        return BAD_INPUT
    print(json.dumps(_plain(parse_characteristic(args.uuid, data))))
    return 0


def _plain(value: object) -> object:
    """What JSON can say of a value object: members of enumerations by name, bytes in hex, nothing of what is None."""
    match value:
        case IntEnum():
            return value.name.lower()
        case bytes():
            return value.hex(" ")
        case tuple():
            return [_plain(item) for item in value]
        case _ if dataclasses.is_dataclass(value):
            fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
            return {name: _plain(item) for name, item in fields.items() if item is not None}
    return value


if __name__ == "__main__":
    sys.exit(main())
