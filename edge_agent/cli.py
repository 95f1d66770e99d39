"""The `edge-agent` command. Each sub-command imports what it needs, so that a quick one stays quick."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent import __version__
from edge_agent.demo import command as demo_command
from edge_agent.errors import HeartlineError

if TYPE_CHECKING:
    from edge_agent.store.summary import ForecastScore

FAILED = 1
BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    Returns:
        0 when all of it happened, 1 when some of it did not, 2 when the input is at fault.
    """
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
        description="Heart-rate forecasts, a durable record and MQTT summaries from a heart-rate strap.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="record from the configured strap until stopped")
    run.add_argument("--config", type=Path, required=True, metavar="FILE", help="TOML file, see docs/configuration.md")
    run.set_defaults(run=_run)

    scan = commands.add_parser("scan", help="list the heart-rate straps in range")
    scan.add_argument("--seconds", type=float, default=10.0, help="how long to listen (default: %(default)g)")
    scan.set_defaults(run=_scan)

    demo = commands.add_parser("demo", help="try the whole agent on a virtual strap, radio and broker")
    demo_command.add_arguments(demo)
    demo.set_defaults(run=demo_command.run)

    replay = commands.add_parser("replay", help="feed recordings through the agent's pipeline")
    replay.add_argument("files", type=Path, nargs="+", metavar="FILE", help="recordings or folders of them, in order")
    replay.add_argument("--athlete", default="athlete", metavar="NAME", help="whose they are (default: %(default)s)")
    replay.add_argument("--state", type=Path, metavar="DIR", help="folder of a journal that keeps the sessions")
    replay.add_argument("--json", action="store_true", help="print one JSON object per second")
    replay.set_defaults(run=_replay)

    decode = commands.add_parser("decode", help="decode a Bluetooth characteristic")
    decode.add_argument("uuid", metavar="UUID", help="assigned number of the characteristic, e.g. 2a37")
    decode.add_argument("hex", nargs="+", metavar="HEX", help="its bytes")
    decode.set_defaults(run=_decode)
    return parser


def _run(args: argparse.Namespace) -> int:
    import asyncio

    from edge_agent.agent.agent import run_until_signalled
    from edge_agent.agent.clock import SystemClock
    from edge_agent.config import load_config

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(run_until_signalled(load_config(args.config), clock=SystemClock()))
    return 0


def _scan(args: argparse.Namespace) -> int:
    import asyncio

    from edge_agent.sensors.links.scan import scan_for_straps

    straps = asyncio.run(scan_for_straps(args.seconds))
    for strap in straps:
        print(f"{strap.address}  {strap.rssi_dbm:4d} dBm  {strap.name}")
    if not straps:
        print("no heart-rate strap in range: put it on and moisten its electrodes, most straps sleep until worn")
    return 0 if straps else FAILED


def _replay(args: argparse.Namespace) -> int:
    import msgspec

    from edge_agent.agent.clock import SystemClock
    from edge_agent.agent.replay import ReplayLine, keep, replay
    from edge_agent.inference.bundle import read_bundle
    from edge_agent.inference.forecast import SHIPPED_BUNDLE
    from edge_agent.inference.runtime import open_cell
    from edge_agent.recordings.read import read_recordings
    from edge_agent.store.journal import Journal
    from edge_agent.store.summary import score_forecasts

    bundle = read_bundle(SHIPPED_BUNDLE)
    cell = open_cell(bundle)
    unread = 0
    with Journal(args.state) if args.state else contextlib.nullcontext() as journal:
        for path in args.files:
            recordings, errors = read_recordings(path)
            for error in errors:
                print(f"edge-agent: {error}", file=sys.stderr)
            unread += len(errors)
            for recording in recordings:
                seconds = []
                for second in replay(recording, bundle, cell):
                    seconds.append(second)
                    if args.json:
                        line = ReplayLine(recording.session, second.t_s, second.heart_rate_bpm, second.forecast)
                        print(msgspec.json.encode(line).decode())
                if not args.json:
                    print(f"{recording.person} {recording.session}, {recording.duration_s} s")
                    _print_scores(score_forecasts(seconds))
                if journal:
                    new = keep(
                        journal,
                        recording,
                        seconds,
                        athlete=args.athlete,
                        model_version=bundle.manifest.version,
                        clock=SystemClock(),
                    )
                    if not new:
                        print(f"edge-agent: {recording.session} is in the journal already", file=sys.stderr)
    return BAD_INPUT if unread else 0


def _print_scores(scores: Mapping[int, ForecastScore]) -> None:
    """Error of the forecasts, beside that of showing the last value."""
    for horizon_s, score in scores.items():
        if score.scored:
            print(
                f"  {horizon_s:3d} s ahead: {score.mae_bpm:5.2f} bpm off, "
                f"the last value {score.persistence_mae_bpm:5.2f} ({score.scored} forecasts)"
            )


def _decode(args: argparse.Namespace) -> int:
    import msgspec

    from edge_agent.sensors.profiles.registry import parse_characteristic

    try:
        data = bytes.fromhex("".join(args.hex))
    except ValueError as error:
        print(
            f"edge-agent: {' '.join(args.hex)!r} is not hex ({error}); write it like 143C0004",
            file=sys.stderr,
        )
        return BAD_INPUT
    print(msgspec.json.encode(parse_characteristic(args.uuid, data)).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
