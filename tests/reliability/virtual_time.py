"""An event loop on which time passes only when nothing is left to do: a day of waiting takes no time.

Everything that lives by the loop's clock is faster alike: the agent, bleak, and bumble's controllers, whose advertising
and timeouts are the loop's timers. What waits for another process gets a moment of real time before each jump.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from edge_agent.store.sessions import SinceBoot

T = TypeVar("T")

# A jump is at most this long where another process takes part, so that a timeout has many moments in it.
_LONGEST_JUMP_S = 0.5


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, sets the clock forward."""

    def __init__(self, moment_s: float) -> None:
        super().__init__()
        self._moment_s = moment_s
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; when nothing is, the time is `timeout` later."""
        ready = super().select(0 if timeout is not None and timeout <= 0 else self._moment_s)
        if ready or timeout is None or timeout <= 0:
            return ready
        self.now_s += min(timeout, _LONGEST_JUMP_S) if self._moment_s else timeout
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self, moment_s: float) -> None:
        self._jumping = _JumpingSelector(moment_s)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._jumping.now_s


def run_virtual(work: Coroutine[Any, Any, T], *, moment_s: float = 0.0) -> T:
    """Run to the end in virtual time.

    Args:
        work: what to run.
        moment_s: real seconds that other processes get before time is set forward; 0 where there are none.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(moment_s)) as runner:
        return runner.run(work)


class LoopClock:
    """The agent's clock, on the running loop's time."""

    def monotonic_s(self) -> float:
        return asyncio.get_running_loop().time()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.monotonic_s())

    def time_trusted(self) -> bool:
        return True

    def since_boot(self) -> SinceBoot:
        return SinceBoot("virtual", self.monotonic_s())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, 0.0))
