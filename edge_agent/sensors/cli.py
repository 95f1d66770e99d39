"""The sub-commands of `edge-agent` that are about sensors; nothing heavy is imported before one runs."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from edge_agent.errors import LinkError

if TYPE_CHECKING:
    from edge_agent.agent.status import Status
    from edge_agent.config import AgentConfig, SensorConfig
    from edge_agent.inference.activity import CurrentActivity
    from edge_agent.inference.recovery import Recovery
    from edge_agent.sensors.links.claims import Claims
    from edge_agent.sensors.links.host import Host

FAILED = 1

_Choice = TypeVar("_Choice", bound=StrEnum)

_PASSKEY_DIGITS = 6


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add scan, pair, sensors and doctor."""
    scan = commands.add_parser("scan", help="list the sensors in range, and who claims them")
    scan.add_argument("--config", type=Path, metavar="FILE", help="configuration, to say what is claimed")
    scan.add_argument("--seconds", type=float, default=10.0, help="how long to listen (default: %(default)g)")
    scan.set_defaults(run=_scan)

    pair = commands.add_parser("pair", help="claim a sensor: `run` connects to claimed ones and to no other")
    pair.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration of the agent")
    which = pair.add_mutually_exclusive_group(required=True)
    which.add_argument("--closest", action="store_true", help="the one held against this device")
    which.add_argument("--name", help="the one that advertises this name")
    which.add_argument("--address", help="the one with this Bluetooth address")
    pair.add_argument("--role", help="what it is (default: the one thing that it can be)")
    pair.add_argument("--athlete", metavar="NAME", help="whose it is (default: the configured athlete)")
    pair.add_argument(
        "--acceleration",
        metavar="WHERE",
        help="stream its acceleration, too, for activities: it is worn at chest or wrist",
    )
    pair.add_argument(
        "--wheel-circumference-mm", type=float, metavar="MM", help="of the wheel whose turns it counts (default: 2105)"
    )
    pair.add_argument("--bond", action="store_true", help="encrypt; sensors that change their address need it")
    pair.add_argument("--passkey", metavar="DIGITS", help="the sensor's six digits (default: ask, when it wants them)")
    pair.add_argument("--seconds", type=float, default=8.0, help="how long to listen (default: %(default)g)")
    pair.set_defaults(run=_pair)

    sensors = commands.add_parser("sensors", help="list what is claimed, and how it is")
    sensors.add_argument("--config", type=Path, required=True, metavar="FILE", help="configuration of the agent")
    sensors.set_defaults(run=_sensors)

    doctor = commands.add_parser("doctor", help="find out why a sensor does not work, from the kernel to a first frame")
    doctor.add_argument("--config", type=Path, metavar="FILE", help="configuration, to try its sensors")
    doctor.add_argument("--seconds", type=float, default=10.0, help="how long to listen (default: %(default)g)")
    doctor.set_defaults(run=_doctor)


def forget_sensor(which: str, claims: Claims, listed: Sequence[SensorConfig], host: Host) -> bool:
    """Drop the claims of a sensor and the bond with it; whether there was one.

    Args:
        which: its address or name.
        claims: where it is written down.
        listed: sensors of the configuration file, which only its owner changes.
        host: keeps the bond.

    Raises:
        LinkError: it is claimed in the configuration file.
        ConfigError: the claims cannot be read or written.
    """
    if any(_is(sensor, which) for sensor in listed):
        msg = f"{which} is listed in the configuration file; remove it there"
        raise LinkError(msg)
    known = claims.read()
    gone = [claim for claim in known if _is(claim, which)]
    if gone:
        claims.write([claim for claim in known if claim not in gone])
    for claim in gone:
        if claim.address:
            asyncio.run(host.remove(claim.address))
    return bool(gone)


def _is(sensor: SensorConfig, which: str) -> bool:
    return which.casefold() in {(sensor.address or "").casefold(), (sensor.name or "").casefold()}


def _host() -> Host:
    from edge_agent.sensors.links.bluez import BlueZHost

    return BlueZHost()


def _load(path: Path) -> tuple[AgentConfig, Claims]:
    from edge_agent.config import load_config
    from edge_agent.sensors.links.claims import Claims

    config = load_config(path)
    return config, Claims(config.store.directory)


def _scan(args: argparse.Namespace) -> int:
    from edge_agent.sensors.links.claims import allow_list
    from edge_agent.sensors.links.scan import scan

    claimed: Sequence[SensorConfig] = ()
    if args.config:
        config, claims = _load(args.config)
        claimed = allow_list(config.listed_sensors, claims.read())
    found = asyncio.run(scan(args.seconds, _host()))
    if not found:
        print("no sensor in range: wear it or wake it (most straps sleep until worn, most pods until moved)")
        return FAILED
    rows = [("ADDRESS", "SIGNAL", "NAME", "OFFERS", "CLAIMED AS")]
    for sensor in found:
        claims_of_it = [c for c in claimed if c.matches(sensor.address, sensor.name) and c.role in sensor.roles]
        as_what = ", ".join(f"{c.role}{f' of {c.athlete}' if c.athlete else ''}" for c in claims_of_it) or "-"
        address = f"{sensor.address} (changes)" if sensor.changes_address else sensor.address
        rows.append((address, f"{sensor.strength_dbm:.0f} dBm", sensor.name or "-", ", ".join(sensor.roles), as_what))
    _print_table(rows)
    return 0


def _pair(args: argparse.Namespace) -> int:
    from edge_agent.config import Placement, Role
    from edge_agent.sensors.links.pairing import Wanted, pair

    role = _one_of(Role, args.role, "--role")
    placement = _one_of(Placement, args.acceleration, "--acceleration")
    passkey = _passkey(args.passkey) if args.passkey else None
    config, claims = _load(args.config)

    async def ask_passkey() -> int:
        if passkey is not None:
            return passkey
        if not sys.stdin.isatty():
            msg = "the sensor wants its passkey; add --passkey with the six digits that it shows or has printed on it"
            raise LinkError(msg)
        return _passkey(await asyncio.to_thread(input, "passkey of the sensor (six digits): "))

    claim = asyncio.run(
        pair(
            Wanted(args.address, args.name, role, args.athlete, args.bond, placement, args.wheel_circumference_mm),
            claims,
            config.listed_sensors,
            host=_host(),
            seconds=args.seconds,
            ask_passkey=ask_passkey,
        )
    )
    whose = claim.athlete or config.athlete.name
    bond = ", with a bond" if claim.bonded else ""
    streams = f", with its acceleration at the {claim.acceleration}" if claim.acceleration else ""
    print(f"{claim.address} is claimed as {claim.role} of {whose}{bond}{streams}")
    return 0


def _one_of(kind: type[_Choice], word: str | None, option: str) -> _Choice | None:
    if word is not None and word not in list(kind):
        msg = f"{option} {word}: use one of {', '.join(kind)}"
        raise LinkError(msg)
    return None if word is None else kind(word)


def _passkey(text: str) -> int:
    if not (text.strip().isdecimal() and len(text.strip()) == _PASSKEY_DIGITS):
        msg = f"a passkey has six digits, {text.strip()!r} has not"
        raise LinkError(msg)
    return int(text)


def _sensors(args: argparse.Namespace) -> int:
    from edge_agent.agent.status import read_status
    from edge_agent.sensors.links.claims import allow_list

    config, claims = _load(args.config)
    sensors = allow_list(config.listed_sensors, claims.read())
    if not sensors:
        print("no sensor is claimed; see `edge-agent scan` and `edge-agent pair`")
        return FAILED
    _print_sensors(sensors, config.athlete.name, read_status(config.store.directory))
    return 0


def _print_sensors(sensors: Sequence[SensorConfig], athlete: str, status: Status | None) -> None:
    """A table in order of preference, what counts now, and what hinders."""
    from edge_agent.agent.status import REWRITE_S
    from edge_agent.sensors.links.claims import labels
    from edge_agent.sensors.links.states import ADVICE, REMEDIES

    known = {sensor.label: sensor for sensor in status.sensors} if status else {}
    rows = [("SENSOR", "ATHLETE", "ADDRESS OR NAME", "LINK", "DATA", "LAST FRAME", "BATTERY", "FIRMWARE")]
    for label, sensor in labels(sensors):
        row = [label, sensor.athlete or athlete, sensor.address or sensor.name or "-"]
        now = known.get(label)
        if status is None or now is None:
            rows.append((*row, "-", "-", "-", "-", "-"))  # type: ignore[arg-type] # as long as the heading
            continue
        age_s = (datetime.now(UTC) - status.at).total_seconds() + (now.frame_age_s or 0.0)
        last = "-" if now.frame_age_s is None else f"{age_s:.0f} s ago"
        data = ", ".join(word.replace("_", " ") for word in (now.signal, *now.alerts))
        battery = "-" if now.battery_percent is None else f"{now.battery_percent} %"
        link = now.link.replace("_", " ") + (f" ({now.cause})" if now.cause else "")
        rows.append((*row, link, data, last, battery, now.firmware or "-"))  # type: ignore[arg-type]
    _print_table(rows)
    if status is None:
        print("the agent has not run here yet")
        return
    for whose, sources in status.sources.items():
        print(f"{whose}: " + ", ".join(f"{quantity} from {label}" for quantity, label in sources.items()))
    for whose, doing in status.activities.items():
        print(f"{whose}: activity {_told(doing)}")
    for whose, recovery in status.recoveries.items():
        print(f"{whose}: {_recovering(recovery)}")
    stale = (datetime.now(UTC) - status.at).total_seconds() > 2 * REWRITE_S
    print(f"as the agent wrote it at {status.at.astimezone():%Y-%m-%d %H:%M:%S}{'; it does not run now' * stale}")
    if status.adapter_fault:
        print(REMEDIES[status.adapter_fault])
    for sensor_status in status.sensors:
        if sensor_status.cause in ADVICE:
            print(f"{sensor_status.label}: {ADVICE[sensor_status.cause]}")


def _told(doing: CurrentActivity | None) -> str:
    """In words."""
    if doing is None:
        return "no signal"
    what = f"{doing.label} ({doing.probability:.0%})"
    what = f"unknown, at best {what}" if doing.unknown else what
    return what if doing.cadence_per_min is None else f"{what}, {doing.cadence_per_min:.0f} per minute"


def _recovering(recovery: Recovery) -> str:
    """In words."""
    ahead = (recovery.hr60_bpm, recovery.hr120_bpm)
    at_60_s, at_120_s = (f"{hr.q50:.0f} ({hr.q10:.0f} to {hr.q90:.0f}) bpm" for hr in ahead)
    seconds = recovery.seconds_to_target
    target = "not down at the target within 10 min" if seconds is None else f"down at the target in {seconds:.0f} s"
    return f"recovering since second {recovery.stop_t_s}, at 60 s {at_60_s}, at 120 s {at_120_s}, {target}"


def _doctor(args: argparse.Namespace) -> int:
    from edge_agent.sensors.links.bluez import BlueZHost
    from edge_agent.sensors.links.claims import allow_list
    from edge_agent.sensors.links.doctor import examine

    sensors: Sequence[SensorConfig] = ()
    if args.config:
        config, claims = _load(args.config)
        sensors = allow_list(config.listed_sensors, claims.read())

    async def report() -> int:
        async for finding in examine(sensors, BlueZHost(), seconds=args.seconds):
            print(f"{'ok  ' if finding.good else 'FAIL'}  {finding.stage:<12} {finding.text}", flush=True)
            if not finding.good:
                return FAILED
        return 0

    return asyncio.run(report())


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
