"""A simulated day with one strap: a link loss every three minutes, one frame in ten bad.

Everything runs in one process and in virtual time (`virtual_time`): the unmodified agent from `agent.run` down to
bleak's API, bumble's host and controllers, the strap's GATT server. What is not in it: radio, BlueZ, D-Bus.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from bumble.link import LocalLink

from edge_agent.demo.strap import VirtualStrap
from tests.reliability.rig import Rig, Wearer, adapter, agent
from tests.reliability.virtual_time import run_virtual

HOUR_S = 3600
WARM_HOURS = 2
LOSS_EVERY_S = 180.0
BAD_FRAMES = 0.1
AWAY_S = (2.0, 20.0)  # how long the strap is out of range
# One return in ten is at the edge of range: the first link breaks again before anything was sent over it.
FLAKY = 0.1
FLAKY_BREAKS_AFTER_S = 0.2
# Cut short, half an interval, no heart rate, empty.
BAD_PACKETS = tuple(bytes.fromhex(packet) for packet in ("10", "164852035c", "01ff", ""))


@dataclass
class Day:
    """What came of it.

    Attributes:
        hours: simulated.
        took_s: real time.
        sent: good frames that left the strap.
        bad: bad frames.
        recorded: whether the journal holds exactly those, in order.
        back_s: from each return of the strap to the subscription that lasted.
        attempts: connections of each return.
        rss_mb: resident memory of the process, the virtual strap and radio included, at each hour's end.
        tasks: at each hour's end.
        files: open file descriptors at each hour's end.
    """

    hours: int
    took_s: float = 0.0
    sent: int = 0
    bad: int = 0
    recorded: bool = False
    back_s: list[float] = field(default_factory=list)
    attempts: list[int] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    tasks: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    @property
    def warm_mb(self) -> float:
        """Resident memory once arrays, caches and the journal's pages have their size."""
        return self.rss_mb[min(WARM_HOURS, len(self.rss_mb)) - 1]


def simulate_day(directory: Path, *, hours: int, seed: int = 1) -> Day:
    """Live through it.

    Args:
        directory: for the record; in memory, or fsync is what is measured.
        hours: how many.
        seed: of the losses and bad frames.
    """
    day, begun_s = Day(hours), time.monotonic()
    logging.getLogger("bumble").setLevel(logging.CRITICAL)  # it reports each packet that comes after a broken link
    run_virtual(_live(day, directory, Random(seed)))  # noqa: S311 - of a simulation
    day.took_s = time.monotonic() - begun_s
    return day


async def _live(day: Day, directory: Path, random: Random) -> None:
    link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
    async with AsyncExitStack() as stack:
        strap = VirtualStrap(link)
        await strap.power_on()
        host = await stack.enter_async_context(adapter(link))
        wearer = Wearer(strap)
        rig = await stack.enter_async_context(agent(directory, f'[strap]\naddress = "{strap.address}"', host))
        await strap.wait_for_subscriber()
        wearing = asyncio.create_task(_wear(wearer, random), name="wearer")
        losing = asyncio.create_task(_lose(strap, day, random), name="losses")
        for _ in range(day.hours):
            await asyncio.sleep(HOUR_S)
            _measure(day)
        losing.cancel()
        wearing.cancel()
        await asyncio.gather(losing, wearing, return_exceptions=True)
        await asyncio.sleep(5)  # the last frames have to pass before they count
    day.sent, day.bad = len(wearer.sent_ms), wearer.bad
    day.recorded = _recorded(rig, wearer)


async def _wear(wearer: Wearer, random: Random) -> None:
    while True:
        if random.random() < BAD_FRAMES:
            await wearer.stammer(random.choice(BAD_PACKETS))
        else:
            await wearer.beat()


async def _lose(strap: VirtualStrap, day: Day, random: Random) -> None:
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    for count in range(1, 1 << 30):
        # Not at the moment of a frame: what a radio has in the air when it breaks was never received.
        await asyncio.sleep(begun_s + count * LOSS_EVERY_S + 0.37 - loop.time())
        await strap.go_out_of_range()
        await asyncio.sleep(random.uniform(*AWAY_S))
        flaky = random.random() < FLAKY
        await strap.come_back()
        back_s, attempts = loop.time(), 1
        await _until_subscribed(strap)
        if flaky:
            strap.lose_link()
            attempts += 1
            await asyncio.sleep(0)
            await _until_subscribed(strap)
        day.back_s.append(loop.time() - back_s)
        day.attempts.append(attempts)


async def _until_subscribed(strap: VirtualStrap) -> None:
    while not strap.subscribed:
        await asyncio.sleep(0.01)


def _measure(day: Day) -> None:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    day.rss_mb.append(pages * resource.getpagesize() / 1e6)
    day.tasks.append(len(asyncio.all_tasks()))
    day.files.append(len(list(Path("/proc/self/fd").iterdir())))


def _recorded(rig: Rig, wearer: Wearer) -> bool:
    return rig.rr_intervals_ms() == wearer.sent_ms
