"""Finds out why a sensor does not work: every stage from the kernel to its first frame, up to the first that fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from edge_agent.config import SensorConfig
from edge_agent.errors import LinkError, MalformedPacketError
from edge_agent.sensors.links.claims import labels
from edge_agent.sensors.links.host import Host
from edge_agent.sensors.links.scan import FoundSensor, scan
from edge_agent.sensors.links.sensor import Readings, SensorLink
from edge_agent.sensors.links.states import ADVICE, REMEDIES, AdapterFault, Cause

# Of the host, in order, each with the faults that are found there.
_HOST_STAGES: tuple[tuple[str, tuple[AdapterFault, ...]], ...] = (
    ("kernel", (AdapterFault.NO_KERNEL,)),
    ("rfkill", (AdapterFault.BLOCKED,)),
    ("D-Bus", (AdapterFault.NO_DBUS,)),
    ("BlueZ", (AdapterFault.NO_BLUEZ,)),
    ("permissions", (AdapterFault.DENIED,)),
    ("adapter", (AdapterFault.NO_ADAPTER, AdapterFault.POWERED_OFF)),
)

# bleak's own requirement.
OLDEST_BLUEZ = (5, 55)

# A strap sends every second.
FIRST_FRAME_S = 10.0

_NOT_HEARD = (
    "is not heard: wear it or wake it; stop a running agent (`sudo systemctl stop heartline`) and close the apps that "
    "may hold it, most sensors allow one link (a Polar H10 two, once dual mode is on)"
)
_NOT_CONNECTED = (
    "move it nearer, away from Wi-Fi antennas and USB 3 plugs; if that does not help, run `bluetoothctl remove ADDRESS`"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one stage came to.

    Attributes:
        stage: which.
        good: whether the next one is worth a look.
        text: what was found, and, when it is not good, what to do.
    """

    stage: str
    good: bool
    text: str


async def examine(sensors: Sequence[SensorConfig], host: Host, *, seconds: float) -> AsyncIterator[Finding]:
    """Walk the stages; the last finding is the first that is not good.

    Args:
        sensors: to be tried.
        host: Bluetooth below bleak.
        seconds: how long to listen.
    """
    fault = await host.fault()
    for stage, faults in _HOST_STAGES:
        if fault in faults:
            yield Finding(stage, good=False, text=REMEDIES[fault])
            return
        if stage == "BlueZ":
            finding = _version(await host.version())
            yield finding
            if not finding.good:
                return
        else:
            yield Finding(stage, good=True, text="")
    try:
        found = await scan(seconds, host)
    except LinkError as error:
        yield Finding("scan", good=False, text=str(error))
        return
    yield Finding("scan", good=True, text=f"{len(found)} sensors in range")
    if not sensors:
        remedy = "none is claimed; name the configuration with --config, or run `edge-agent pair`"
        yield Finding("sensors", good=False, text=remedy)
        return
    for label, sensor in labels(sensors):
        async for finding in _examine_sensor(label, sensor, found, host):
            yield finding
            if not finding.good:
                return


def _version(version: str | None) -> Finding:
    if version is None:
        return Finding("BlueZ", good=True, text="version unknown")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    good = not numbers or numbers >= OLDEST_BLUEZ
    remedy = "" if good else f" is too old, 5.{OLDEST_BLUEZ[1]} is needed; upgrade the operating system"
    return Finding("BlueZ", good=good, text=version + remedy)


async def _examine_sensor(
    label: str, sensor: SensorConfig, found: Sequence[FoundSensor], host: Host
) -> AsyncIterator[Finding]:
    heard = next((f for f in found if sensor.matches(f.address, f.name)), None)
    if heard is None:
        yield Finding("heard", good=False, text=f"{label} {_NOT_HEARD}")
        return
    yield Finding("heard", good=True, text=f"{label}, {heard.strength_dbm:.0f} dBm")
    if sensor.bonded and heard.address.upper() not in await host.bonded():
        yield Finding("bond", good=False, text=f"{label}: {ADVICE[Cause.BOND_LOST]}")
        return
    first_frame = asyncio.Event()
    malformed: list[MalformedPacketError] = []

    def on_frame(_: Readings, _at_s: float) -> None:
        first_frame.set()

    link = SensorLink(
        sensor,
        heard.device,
        label=label,
        now_s=time.monotonic,
        on_frame=on_frame,
        on_battery=lambda _: None,
        on_malformed=malformed.append,
    )
    cause = await link.open()
    try:
        for finding in _opened(label, cause):
            yield finding
        if cause is not None:
            return
        try:
            async with asyncio.timeout(FIRST_FRAME_S):
                await first_frame.wait()
        except TimeoutError:
            said = f"; it sent {len(malformed)} malformed packets ({malformed[0]})" if malformed else ""
            yield Finding("first frame", good=False, text=f"{label} sends nothing{said}: wear it, or move it")
        else:
            yield Finding("first frame", good=True, text=label)
    finally:
        await link.close()


def _opened(label: str, cause: Cause | None) -> list[Finding]:
    """How far opening a link came."""
    if cause is Cause.NOT_BONDED or cause is Cause.BOND_LOST:
        remedy = f"{label}: {ADVICE[cause]}"
        return [Finding("connect", good=True, text=label), Finding("bond", good=False, text=remedy)]
    good = [Finding(stage, good=True, text=label) for stage in ("connect", "bond", "subscribe")]
    if cause is None:
        return good
    if cause is Cause.WRONG_SENSOR:
        return [*good[:2], Finding("subscribe", good=False, text=f"{label}: {ADVICE[cause]}")]
    return [Finding("connect", good=False, text=f"{label}: {cause.value}; {_NOT_CONNECTED}")]
