"""Somebody who wears a strap: one frame a second, each of which can be told apart in the journal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from edge_agent.demo.simulation import RR_UNITS_PER_S, StrapSecond
from edge_agent.demo.strap import VirtualStrap, encode
from tests.vm.machine import until

_FIRST_RR = 600  # 586 ms; frames count up from here, so that no two of a test have the same interval
_HEART_RATE_BPM = 100


@dataclass(eq=False)
class Wearer:
    """What the strap sent while somebody had subscribed.

    Attributes:
        strap: the strap that is worn.
        sent: beat-to-beat interval of each frame since the last `take` in 1/1024 s, in order, each its own.
        resting: whether frames are held back.
    """

    strap: VirtualStrap
    sent: list[int] = field(default_factory=list)
    resting: bool = False

    def take(self) -> list[int]:
        """The frames that were sent since the last time."""
        taken, self.sent = self.sent, []
        return taken

    async def has_sent(self, frames: int) -> None:
        """Wait until further frames are sent to a subscriber."""
        wanted = len(self.sent) + frames
        await until(lambda: len(self.sent) >= wanted, f"the strap has not sent {frames} frames to anybody")

    async def beat(self) -> None:
        """Send a frame a second to whoever has subscribed, until cancelled."""
        start_s, beat = time.monotonic(), 0
        while True:
            await asyncio.sleep(start_s + beat - time.monotonic())
            frame = StrapSecond(_HEART_RATE_BPM, (_FIRST_RR + beat,))
            if self.strap.subscribed and not self.resting:
                await self.strap.notify(encode(frame))
                self.sent.append(_FIRST_RR + beat)
            beat += 1


@asynccontextmanager
async def worn(strap: VirtualStrap) -> AsyncIterator[Wearer]:
    """Wear a strap for as long as the context lasts."""
    wearer = Wearer(strap)
    beating = asyncio.create_task(wearer.beat())
    try:
        yield wearer
    finally:
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating


def intervals(rows: list[list[Any]]) -> list[int]:
    """Beat-to-beat intervals in 1/1024 s out of the journal's `rr_intervals_ms`, in order."""
    return [round(rr_ms * RR_UNITS_PER_S / 1000) for (column,) in rows if column for rr_ms in json.loads(column)]
