"""The sub-commands of `heartline-backend` that ask what is kept, or change it."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from edge_agent.errors import ConfigError

if TYPE_CHECKING:
    from datetime import datetime

    from heartline_backend.config import BackendConfig
    from heartline_backend.store.reader import Chosen
    from heartline_backend.store.store import Store

FAILED = 1


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add them to the command line."""
    athletes = commands.add_parser("athletes", help="who has sessions here")
    athletes.set_defaults(run=_athletes)

    sessions = commands.add_parser("sessions", help="sessions, by their start")
    sessions.set_defaults(run=_sessions)

    events = commands.add_parser("events", help="what happened while devices recorded, by its time")
    events.set_defaults(run=_events)

    load = commands.add_parser("load", help="training load by athlete and week")
    load.add_argument("--athlete", metavar="NAME", help="whose alone")
    load.add_argument("--resting-bpm", type=float, metavar="BPM", help="of an athlete never seen lower (default: 60)")
    load.add_argument("--max-bpm", type=float, metavar="BPM", help="of an athlete never seen higher (default: 190)")
    load.set_defaults(run=_load)

    devices = commands.add_parser("devices", help="devices that were heard of, and which are online")
    devices.add_argument("--online", action="store_true", help="those that are online alone")
    devices.set_defaults(run=_devices)

    demand = commands.add_parser(
        "demand", help="how many sessions begin in which hour of this week, forecast from the weeks before it"
    )
    demand.set_defaults(run=_demand)

    export = commands.add_parser("export", help="write sessions to a file that other programs read")
    export.add_argument(
        "--format", choices=("csv", "json"), default="csv", help="json has all of each summary (default: csv)"
    )
    export.add_argument("--out", type=Path, metavar="FILE", help="to write, for its owner alone (default: print it)")
    export.set_defaults(run=_export)

    for command in (sessions, events, export):
        command.add_argument("--athlete", metavar="NAME", help="whose alone")
        command.add_argument("--device", metavar="UUID", help="of this device alone")
        command.add_argument("--since", metavar="TIME", help="that began then or later, e.g. 2026-03-01")
        command.add_argument("--until", metavar="TIME", help="that began before")

    delete = commands.add_parser(
        "delete-athlete", help="delete all of an athlete, and keep nothing that was recorded before and comes late"
    )
    delete.add_argument("athlete", metavar="NAME", help="label, as `athletes` shows it")
    delete.add_argument("--device", metavar="UUID", help="on this device alone (default: on all that know the name)")
    delete.set_defaults(run=_delete_athlete)

    letters = commands.add_parser("dead-letters", help="messages that could not be kept, and why")
    what = letters.add_mutually_exclusive_group()
    what.add_argument("--again", action="store_true", help="keep those that can be by now, after an upgrade for one")
    what.add_argument("--discard", action="store_true", help="delete them all")
    letters.set_defaults(run=_dead_letters)

    for command in (athletes, sessions, events, load, devices, demand, letters):
        command.add_argument("--json", action="store_true", help="print JSON")


def _config(args: argparse.Namespace) -> BackendConfig:
    from heartline_backend.config import load_config

    return load_config(args.config)


def _store(args: argparse.Namespace) -> Store:
    from heartline_backend.store.open import open_store

    return open_store(_config(args).store)


def _athletes(args: argparse.Namespace) -> int:
    with _store(args) as store:
        athletes = store.athletes()
    if args.json:
        return _print_json(athletes)
    rows = [
        (a.athlete, a.device, a.sessions, f"{a.recorded_s / 3600:.1f}", _minute(a.last_started_at)) for a in athletes
    ]
    return _print_table(("athlete", "device", "sessions", "hours", "last"), rows)


def _sessions(args: argparse.Namespace) -> int:
    from heartline_backend.export import write_json

    with _store(args) as store:
        if args.json:
            write_json(store.sessions(**_chosen(args)), sys.stdout)
            return 0
        rows = [
            (
                _minute(s.started_at) + ("" if s.time_trusted else "?"),
                s.athlete,
                f"{s.duration_s / 60:.0f}",
                _bpm(s.heart_rate_mean_bpm),
                _bpm(s.heart_rate_max_bpm),
                s.revision,
                s.session_id,
                s.device,
            )
            for s in store.sessions(**_chosen(args))
        ]
    return _print_table(("start (UTC)", "athlete", "min", "mean bpm", "max bpm", "revision", "session", "device"), rows)


def _events(args: argparse.Namespace) -> int:
    from heartline_backend.export import write_json

    with _store(args) as store:
        if args.json:
            write_json(store.events(**_chosen(args)), sys.stdout)
            return 0
        rows = [
            (
                f"{e.at:%Y-%m-%d %H:%M:%S}" + ("" if e.time_trusted else "?"),
                e.athlete,
                e.name,
                e.session_id or "-",
                e.device,
            )
            for e in store.events(**_chosen(args))
        ]
    return _print_table(("time (UTC)", "athlete", "event", "session", "device"), rows)


def _chosen(args: argparse.Namespace) -> Chosen:
    """What the arguments choose."""
    zone = _config(args).zone

    def moment(option: str) -> datetime | None:
        from heartline_backend.moments import parse_moment

        text = getattr(args, option)
        try:
            return None if text is None else parse_moment(text, zone)
        except ValueError as error:
            msg = f"--{option}: {error}"
            raise ConfigError(msg) from error

    return {
        "athlete": args.athlete,
        "device": args.device,
        "since": moment("since"),
        "until": moment("until"),
    }


def _load(args: argparse.Namespace) -> int:
    from heartline_backend.load import DEFAULT_MAX_BPM, DEFAULT_RESTING_BPM, weekly_load

    with _store(args) as store:
        weeks = weekly_load(
            store.sessions(athlete=args.athlete),
            _config(args).zone,
            resting_bpm=args.resting_bpm or DEFAULT_RESTING_BPM,
            max_bpm=args.max_bpm or DEFAULT_MAX_BPM,
        )
    if args.json:
        return _print_json(weeks)
    rows = [(w.athlete, w.week, w.sessions, f"{w.recorded_min:.0f}", f"{w.load:.0f}", w.device) for w in weeks]
    return _print_table(("athlete", "week", "sessions", "min", "load", "device"), rows)


def _devices(args: argparse.Namespace) -> int:
    with _store(args) as store:
        devices = [device for device in store.devices() if device.online or not args.online]
    if args.json:
        return _print_json(devices)
    said = {True: "online", False: "offline", None: "never said"}
    rows = [(d.device, said[d.online], _minute(d.since), d.sessions, _minute(d.last_received_at)) for d in devices]
    return _print_table(("device", "status", "since", "sessions", "last kept"), rows)


def _demand(args: argparse.Namespace) -> int:
    from heartline_backend.demand import HOURS, PAST, demand
    from heartline_backend.ingest import now_utc

    now = now_utc()
    with _store(args) as store:
        found = demand(store.starts(now - PAST), now, _config(args).zone)
    if args.json:
        return _print_json(found.plain())
    if found.mae is not None and found.baseline_mae is not None:
        verdict = "better" if found.beats_the_baseline else "NO better: take last week's numbers"
        print(
            f"forecast from {found.weeks} weeks; over the last {found.scored_weeks} of them it was {found.mae:.2f} "
            f"sessions per hour off, the same hour of the week before {found.baseline_mae:.2f}: {verdict}"
        )
    print("sessions that begin in each hour: the median, and what 8 of 10 lie between")
    week = found.forecast
    hours = [hour for hour in range(HOURS) if week.high[:, hour].any()]
    rows = [
        (f"{hour:02d}:00", *(f"{m:.0f} ({lo:.0f}-{hi:.0f})" if hi else "" for m, lo, hi in cells))
        for hour in hours
        for cells in [zip(week.middle[:, hour], week.low[:, hour], week.high[:, hour], strict=True)]
    ]
    days = [f"{found.monday + timedelta(days=day):%a %d %b}" for day in range(len(week.expected))]
    return _print_table(("", *days), [*rows, ("all day", *(f"{day:.0f}" for day in week.expected.sum(axis=1)))])


def _export(args: argparse.Namespace) -> int:
    from heartline_backend.export import write_csv, write_json

    with _store(args) as store, _output(args.out) as file:
        (write_csv if args.format == "csv" else write_json)(store.sessions(**_chosen(args)), file)
    return 0


def _delete_athlete(args: argparse.Namespace) -> int:
    from heartline_backend.ingest import now_utc

    with _store(args) as store:
        deleted = store.delete_athlete(args.athlete, now_utc(), device=args.device)
    print(f"sessions deleted: {deleted}")
    print("a device that goes on recording the athlete sends new ones: run `edge-agent forget-athlete` there, too")
    print("backups and exports are not reached: delete those that you do not want to keep")
    return 0 if deleted else FAILED


def _dead_letters(args: argparse.Namespace) -> int:
    from heartline_backend.ingest import now_utc, retry_dead_letters

    config = _config(args)
    with _store(args) as store:
        if args.again:
            kept = retry_dead_letters(store, config.topic_prefix, now_utc())
            print(f"kept: {kept}")
        letters = store.dead_letters()
        if args.discard:
            store.discard_letters(letters)
            print(f"discarded: {len(letters)}")
            return 0
    if args.json:
        return _print_json(letters)
    rows = [(_minute(x.received_at), x.size_bytes, x.topic, x.reason) for x in letters]
    return _print_table(("received (UTC)", "bytes", "topic", "reason"), rows)


@contextmanager
def _output(path: Path | None) -> Iterator[TextIO]:
    """The file to write to, for its owner alone."""
    if path is None:
        yield sys.stdout
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror}); name another file with --out"
        raise ConfigError(msg) from error
    with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - of a descriptor
        yield file


def _print_json(answer: object) -> int:
    import msgspec

    print(msgspec.json.format(msgspec.json.encode(answer)).decode())
    return 0


def _print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Columns side by side; what comes from outside cannot move the cursor."""
    table = [tuple(_printable(str(cell)) for cell in row) for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _minute(at: datetime | None) -> str:
    return "-" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _bpm(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"
