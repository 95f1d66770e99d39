"""The `heartline-backend` command. Each sub-command imports what it needs, so that a quick one stays quick."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_agent import __version__
from edge_agent.errors import HeartlineError
from heartline_backend.errors import BackendError

BAD_INPUT = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    Returns:
        0 when all of it happened, 1 when some of it did not, 2 when the input is at fault.
    """
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args))
    except (BackendError, HeartlineError) as error:
        print(f"heartline-backend: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heartline-backend",
        description="Keeps what Heartline devices publish, once, for all of them.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="take in what devices publish, until stopped")
    run.add_argument(
        "--worker",
        type=int,
        default=1,
        metavar="N",
        help="number of this worker; each of a group has its own (default: 1)",
    )
    run.set_defaults(run=_run)

    for command in (run,):
        command.add_argument(
            "--config", type=Path, required=True, metavar="FILE", help="TOML file, see docs/backend.md"
        )
    return parser


def _run(args: argparse.Namespace) -> int:
    from heartline_backend.config import load_config
    from heartline_backend.service import run_until_signalled

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    run_until_signalled(load_config(args.config), worker=args.worker)
    return 0


if __name__ == "__main__":
    sys.exit(main())
