"""The `heartline-backend` command. Each sub-command imports what it needs, so that a quick one stays quick."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from edge_agent import __version__
from edge_agent.errors import HeartlineError
from heartline_backend.errors import BackendError
from heartline_backend.store import cli as store_cli

BAD_INPUT = 2

# Of the extra; the distribution is installed without it on devices.
_NEEDED = ("pika", "prometheus_client", "psycopg", "starlette", "uvicorn")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command.

    Returns:
        0 when all of it happened, 1 when some of it did not, 2 when the input is at fault.
    """
    args = _parser().parse_args(argv)
    try:
        _check_extra()
        return int(args.run(args))
    except (BackendError, HeartlineError) as error:
        print(f"heartline-backend: {error}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:  # whoever reads our output, `head` for one, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _check_extra() -> None:
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        msg = f"{', '.join(missing)} not installed; run: {sys.executable} -m pip install 'heartline[backend]'"
        raise BackendError(msg)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="heartline-backend", description="Keeps what Heartline devices publish, once, for all of them."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="take in what devices publish, until stopped")
    run.set_defaults(run=_run)
    leave = commands.add_parser(
        "leave", help="take in what waits for a worker that is not to run again, and end its place"
    )
    leave.set_defaults(run=_leave)
    for command in (run, leave):
        command.add_argument(
            "--worker",
            type=_worker,
            default=1,
            metavar="N",
            help="its number; each of a group has its own (default: 1)",
        )

    serve = commands.add_parser("serve", help="answer questions by HTTP, until stopped")
    serve.set_defaults(run=_serve)

    store_cli.add_commands(commands)

    for command in commands.choices.values():
        command.add_argument(
            "--config", type=Path, required=True, metavar="FILE", help="TOML file, see docs/backend.md"
        )
    return parser


def _worker(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        msg = f"{text!r} is no number from 1 on"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _run(args: argparse.Namespace) -> int:
    from heartline_backend.config import load_config
    from heartline_backend.service import run_until_signalled

    _log()
    run_until_signalled(load_config(args.config), worker=args.worker)
    return 0


def _leave(args: argparse.Namespace) -> int:
    from heartline_backend.config import load_config
    from heartline_backend.service import leave

    _log()
    taken = leave(load_config(args.config), worker=args.worker)
    print(f"worker {args.worker} has left its group; messages that waited for it: {taken}")
    return 0


def _serve(args: argparse.Namespace) -> int:
    import uvicorn

    from heartline_backend.api import make_app, read_token
    from heartline_backend.config import load_config
    from heartline_backend.store.open import open_store

    config = load_config(args.config)
    token = read_token(config.api)
    with open_store(config.store) as store:
        # No access log: questions name athletes.
        uvicorn.run(
            make_app(store, config.zone, token),
            host=config.api.host,
            port=config.api.port,
            access_log=False,
            server_header=False,
        )
    return 0


def _log() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")


if __name__ == "__main__":
    sys.exit(main())
