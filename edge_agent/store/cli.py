"""The sub-commands of `edge-agent` that keep the record: `backup`, `restore` and `forget-athlete`."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    backup = commands.add_parser(
        "backup", help="write the record and what was learned to one file, also while recording"
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="to write; a backup of that name is replaced")
    restore = commands.add_parser(
        "restore", help="put a backup in the place of the record; what was there is set aside"
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="that `edge-agent backup` wrote")
    forget = commands.add_parser(
        "forget-athlete",
        help="delete all of an athlete: sessions, what was learned, what waits for the broker; and tell the backend",
    )
    forget.add_argument("athlete", metavar="NAME", help="label of the athlete")
    for command, run in ((backup, _backup), (restore, _restore), (forget, _forget_athlete)):
        where = command.add_mutually_exclusive_group(required=True)
        where.add_argument("--state", type=Path, metavar="DIR", help="folder given to run or replay")
        where.add_argument("--config", type=Path, metavar="FILE", help="configuration that names the folder")
        command.set_defaults(run=run)


def _directory(args: argparse.Namespace) -> Path:
    from edge_agent.config import load_config

    state: Path | None = args.state
    return state or load_config(args.config).store.directory


def _backup(args: argparse.Namespace) -> int:
    from edge_agent.store.backup import back_up

    back_up(_directory(args), args.file)
    print(f"{args.file}: {args.file.stat().st_size / 1e6:.1f} MB")
    return 0


def _restore(args: argparse.Namespace) -> int:
    from edge_agent.store.backup import restore

    aside = restore(args.file, _directory(args))
    print("restored" + (f"; the record that was there is set aside as {aside}" if aside else ""))
    return 0


def _forget_athlete(args: argparse.Namespace) -> int:
    from edge_agent.agent.clock import SystemClock
    from edge_agent.agent.status import FILE_NAME as STATUS
    from edge_agent.inference.models import WorkoutModel
    from edge_agent.sensors.links.claims import Claims
    from edge_agent.store.journal import Journal

    directory, clock = _directory(args), SystemClock()
    with Journal(directory) as journal:
        forgotten = journal.forget_athlete(args.athlete, clock.now(), time_trusted=clock.time_trusted())
        learned = WorkoutModel(directory).athletes.forget(args.athlete)
        (directory / STATUS).unlink(missing_ok=True)  # the last agent's; it names who wore what
    print(f"deleted: sessions {forgotten.sessions}, messages that were not sent yet {forgotten.messages}")
    print("what was learned is deleted" if learned else "nothing was learned of this athlete here")
    if forgotten.tombstone:
        print("the backend is told as soon as the agent reaches the broker; until then the name waits in the outbox")
    if forgotten.set_aside:
        print(f"{forgotten.set_aside} files that were set aside are deleted: whose they are cannot be told")
    for claim in Claims(directory).read():
        if claim.athlete == args.athlete:
            which = claim.address or claim.name
            print(f"a sensor is claimed for this athlete still; `edge-agent forget --sensor '{which}'` lets it go")
    print("backups are not reached: delete those that you do not want to keep")
    return 0
