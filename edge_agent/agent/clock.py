"""Time, as the agent sees it: injected, so that a session can be played faster than it happened."""

from __future__ import annotations

import asyncio
import ctypes
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from edge_agent.store.sessions import SinceBoot

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TIME_ERROR = 5  # adjtimex(2): the kernel's clock is not synchronised
_TIMEX_BYTES = 256  # more than sizeof(struct timex) on every Linux ABI; zeroed: modes 0, read only


class Clock(Protocol):
    """Monotonic time for intervals, wall time for dates."""

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary origin; never goes back."""

    def now(self) -> datetime:
        """Wall time in UTC; may jump."""

    def time_trusted(self) -> bool:
        """Whether the wall time has been set from outside since boot (a Pi has no clock that runs without power)."""

    def since_boot(self) -> SinceBoot:
        """This instant on the clock that nobody sets, in real seconds."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock's time."""


class SystemClock:
    """The machine's own clock, optionally running `speed` times as fast (for the demo and tests)."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary origin, scaled by the speed."""
        return time.monotonic() * self._speed

    def now(self) -> datetime:
        """Wall time in UTC."""
        return datetime.now(UTC)

    def time_trusted(self) -> bool:
        """Whether the kernel says that its clock is synchronised (adjtimex(2))."""
        libc = ctypes.CDLL(None, use_errno=True)
        return bool(libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)) not in (-1, _TIME_ERROR))

    def since_boot(self) -> SinceBoot:
        """This instant on the clock that nobody sets, in real seconds; sleep of the machine included."""
        boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        return SinceBoot(boot_id, time.clock_gettime(time.CLOCK_BOOTTIME))

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock's time."""
        await asyncio.sleep(max(seconds, 0.0) / self._speed)
