"""An event loop for days of waiting between threads and programs that live in real time.

Time passes when nothing is left to do: at once where nothing is on its way in the network, else in small steps, for an
answer may come; and not at all while a thread is at work.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

_STEP_S = 0.5

# A wait that is longer than any timeout of the network is a pause.
_PAUSE_S = 60.0

# Real seconds that others get before each: an answer that may take 8 s in simulated time may take 1.6 s, as on a busy
# machine.
_MOMENT_BEFORE_STEP_S = 0.1
_MOMENT_BEFORE_JUMP_S = 0.002
_MOMENT_AT_AN_END_S = 0.05  # in which all notice that a connection is over


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.threads = 0
        self.is_quiet: Callable[[], bool] = lambda: False
        self._was_quiet = False

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; when nothing is, it is later."""
        if timeout is not None and timeout <= 0:
            return super().select(0)
        was_quiet, self._was_quiet = self._was_quiet, self.is_quiet()
        jump = timeout is not None and (timeout > _PAUSE_S or self._was_quiet)
        before_jump_s = _MOMENT_BEFORE_JUMP_S if was_quiet else _MOMENT_AT_AN_END_S
        ready = super().select(before_jump_s if jump else _MOMENT_BEFORE_STEP_S)
        if not ready and timeout is not None and not self.threads:
            self.now_s += timeout if jump else min(timeout, _STEP_S)
        return ready


class SimulatedTimeLoop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self._simulated = _Selector()
        super().__init__(self._simulated)

    def time(self) -> float:
        """Simulated seconds since the loop was made."""
        return self._simulated.now_s

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Arguments], T], *args: *Arguments
    ) -> asyncio.Future[T]:
        """Run something in a thread."""
        self._simulated.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._back)
        return future

    def _back(self, _: object) -> None:
        self._simulated.threads -= 1

    def quiet_when(self, is_quiet: Callable[[], bool]) -> None:
        """Let a function say whether nothing is on its way in the network."""
        self._simulated.is_quiet = is_quiet


def simulated_loop() -> SimulatedTimeLoop:
    """The running loop."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedTimeLoop)
    return loop


def run_simulated(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedTimeLoop) as runner:
        return runner.run(work)
