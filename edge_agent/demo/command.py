"""`edge-agent demo` on the command line; nothing heavy is imported before it runs."""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

from edge_agent.demo.errors import DemoError

# Together 20 s of real time. Two cores that other programs kept busy delayed a process by up to 80 ms: 2.4 s at this
# speed, which the agent still bridges; at 100 times it loses seconds there, at 400 times everywhere.
DEFAULT_SPEED = 30.0
DEFAULT_MINUTES = 10.0

# The record is thrown away afterwards, so it need not wear an SD card, whose pauses would be seconds at this speed.
_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made in it, as in /tmp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's options to its sub-command."""
    parser.add_argument(
        "--speed",
        type=_positive,
        default=DEFAULT_SPEED,
        metavar="N",
        help="play N times as fast as it happened (default: %(default)g)",
    )
    parser.add_argument(
        "--recording", type=Path, metavar="FILE", help="what the strap plays, instead of a simulated interval workout"
    )
    parser.add_argument(
        "--minutes",
        type=_positive,
        metavar="M",
        help=f"length of the workout (default: {DEFAULT_MINUTES:g}, or all of the recording)",
    )
    parser.add_argument(
        "--mqtt", type=_host_and_port, metavar="HOST:PORT", help="broker to use, instead of one that the demo starts"
    )


def run(args: argparse.Namespace) -> int:
    """Run the demo.

    Returns:
        0 when everything it shows has happened, else 1.
    """
    try:
        try:
            from edge_agent.demo.broker import find_mosquitto  # noqa: PLC0415 - these need the demo's extra
            from edge_agent.demo.demo import Options, run_demo  # noqa: PLC0415
        except ModuleNotFoundError as error:
            msg = f"{error.name} is not installed; run: {sys.executable} -m pip install 'heartline[demo]'"
            raise DemoError(msg) from error
        minutes = args.minutes or (None if args.recording else DEFAULT_MINUTES)
        run_demo(
            Options(
                speed=args.speed,
                recording=args.recording,
                duration_s=None if minutes is None else round(minutes * 60),
                mqtt=args.mqtt,
                mosquitto=find_mosquitto(os.environ.get("PATH", os.defpath)),
                scratch=None if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK) else _MEMORY,
            )
        )
    except DemoError as error:
        sys.stderr.write(f"edge-agent demo: {error}\n")
        return 1
    return 0


def _positive(text: str) -> float:
    value = float(text)
    if not (math.isfinite(value) and value > 0):
        msg = f"{text} is not above 0"
        raise argparse.ArgumentTypeError(msg)
    return value


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not (host and port.isdecimal() and 0 < int(port) < 2**16):
        msg = f"{text!r} is not HOST:PORT, e.g. 192.168.1.20:1883"
        raise argparse.ArgumentTypeError(msg)
    return host.strip("[]"), int(port)
