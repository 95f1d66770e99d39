"""The page that says how reliable it is."""

from __future__ import annotations

import os
import platform
import statistics
from importlib.metadata import version

from edge_agent import __version__
from tests.benchmark import cpu
from tests.reliability.conftest import FaultRow
from tests.reliability.crowd import OTHERS
from tests.reliability.day import BAD_FRAMES, LOSS_EVERY_S, WARM_HOURS, Day
from tests.reliability.load import Load

_HEAD = """# Reliability

Measured by `make reliability{arguments}`, which wrote this page: heartline {heartline}, Python {python}, bleak {bleak},
bumble {bumble}, dbus-fast {dbus}, {cpu}, {cores} cores that other work shared (load average over 15
minutes: {load:.0f}).

No radio is in these figures, no strap's firmware and no Pi: they show what Heartline does, not what the air does.
{broken}
## {hours} hours, a link loss every {loss_min:g} minutes, {bad:.0%} bad frames

The whole agent, bleak's API on bumble's host and controllers, and the strap's GATT server run in one process, on an
event loop whose time passes when nothing is left to do ({took_s:.0f} s of real time). The strap is away for 2 to 20 s,
then advertises every 100 ms (the Heart Rate Profile asks for 20 to 30 ms in the first half minute after a loss). At
one return in ten the first link breaks again at once. Bad frames are cut short, empty or hold half an interval.

| | |
|---|--:|
"""

_LOAD = """
## Many sensors on one core

In real time. The sensors are in one process; the agent is in another one, pinned to a core. It reaches them over HCI
with bumble's host, in Python, in its process and in its figures; or, as in life, over D-Bus by bleak's BlueZ backend,
with an emulated `org.bluez` where bluetoothd and the kernel would be, whose work is not in them. Each strap is on
another athlete and sends every second, so there are as many sessions and forecasts; beside them:
{others}.
The same sensors on Debian's kernel and bluetoothd, in a virtual machine, have [a page of their own](vm-many.md).

| sensors | over | measured | packets | lost | of one core | peak memory | second to forecast, p50 / p99 | frame to it |
|--:|---|--:|--:|--:|--:|--:|--:|--:|
"""

_FAULTS = """
The last columns are in ms, from the end of a second and from the arrival of its frame until the forecast is on the disk
(here one in memory). A frame waits for the end of its second: that lets frames come up to half a second early or late
without a gap. What the agent itself takes is the column before the last.

## Faults

Each row is a test of the whole agent in virtual time: faults of sensors on bumble's link
(`tests/reliability/test_sensor_faults.py`), faults of the host on bleak's BlueZ backend against an emulated `org.bluez`
(`test_host_faults.py` beside it). Lost are good frames that left the strap over a link and are not in the journal; what
is in the air when a link breaks never arrives.

| fault | what its user sees | recovery | frames lost |
|---|---|---|--:|
"""


def report(day: Day, loads: list[Load], faults: list[FaultRow], broken: list[str], arguments: str) -> str:
    """All of it, as Markdown.

    Args:
        day: the simulated day.
        loads: of many sensors.
        faults: in the order of their tests.
        broken: promises that are not kept.
        arguments: that the command was given.
    """
    head = _HEAD.format(
        arguments=f' ARGS="{arguments}"' if arguments else "",
        heartline=__version__,
        python=platform.python_version(),
        bleak=version("bleak"),
        bumble=version("bumble"),
        dbus=version("dbus-fast"),
        cpu=cpu(),
        cores=os.cpu_count(),
        load=os.getloadavg()[2],
        broken=f"\n**Not kept here: {'; '.join(broken)}.**\n" if broken else "",
        hours=day.hours,
        loss_min=LOSS_EVERY_S / 60,
        bad=BAD_FRAMES,
        took_s=day.took_s,
    )
    kept = "in the journal, in order, once" if day.recorded else "**not all in the journal**"
    rows = {
        f"good frames sent over a link, {kept}": f"{day.sent:,}",
        "bad frames dropped": f"{day.bad:,}",
        "link losses": f"{len(day.back_s)}",
        "back after the strap advertises again, median": f"{statistics.median(day.back_s):.2f} s",
        "the same, 95th percentile": f"{statistics.quantiles(day.back_s, n=20)[-1]:.2f} s",
        "the same, longest": f"{max(day.back_s):.2f} s",
        "linked for good at the first try": f"{_within(day, 1):.1%}",
        "within two tries": f"{_within(day, 2):.1%}",
        f"memory after {WARM_HOURS} hours, virtual strap and radio included": f"{day.warm_mb:.1f} MB",
        "memory at the end": f"{day.rss_mb[-1]:.1f} MB",
        "of the difference, the test's own list of what was sent": f"{_list_mb(day):.1f} MB",
        "asyncio tasks after the first hour, at most": f"{day.tasks[0]}, {max(day.tasks)}",
        "open files after the first hour, at most": f"{day.files[0]}, {max(day.files)}",
    }
    others = ", ".join(f"{role.value.replace('_', ' ')} at {rate_hz:g}/s" for role, rate_hz, _ in OTHERS)
    return (
        head
        + "".join(f"| {what} | {value} |\n" for what, value in rows.items())
        + _LOAD.format(others=others)
        + "".join(map(_load_row, loads))
        + _FAULTS
        + "".join(f"| {row.fault} | {row.sees} | {row.recovered} | {row.frames_lost} |\n" for row in faults)
    )


def _load_row(load: Load) -> str:
    cells = (
        f"{load.sensors}",
        load.over,
        f"{load.duration_s:.0f} s",
        f"{load.sent:,}",
        f"{load.lost}",
        f"{load.core:.1%}",
        f"{load.peak_mb:.0f} MB",
        f"{load.from_due_ms[0]:.1f} / {load.from_due_ms[1]:.1f}",
        f"{load.from_arrival_ms[0]:.0f} / {load.from_arrival_ms[1]:.0f}",
    )
    return f"| {' | '.join(cells)} |\n"


def _list_mb(day: Day) -> float:
    """A float and its place in a list take 32 bytes."""
    return 32e-6 * day.sent * max(day.hours - WARM_HOURS, 0) / day.hours


def _within(day: Day, tries: int) -> float:
    return sum(attempts <= tries for attempts in day.attempts) / len(day.attempts)
