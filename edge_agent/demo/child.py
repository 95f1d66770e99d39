"""The agent's process, as the demo starts, watches and stops it."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from edge_agent.agent.agent import DRAIN_S
from edge_agent.demo.broker import last_lines, send_signal
from edge_agent.demo.errors import DemoError

T = TypeVar("T")

_LOG_TAIL = 15
_STOP_S = DRAIN_S + 10  # what the agent gives the broker, and as much to close its files


class AgentProcess:
    """A running agent."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def kill(self) -> None:
        """End it at once, as a power cut does."""
        send_signal(self._process, signal.SIGKILL)

    async def outlive(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something that needs the agent.

        Raises:
            DemoError: the agent ended before; the message has the end of its log.
        """
        working = asyncio.create_task(work)
        ended = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                self._fail("ended early", ended.result())
            return working.result()
        finally:
            for task in (working, ended):
                task.cancel()
            await asyncio.gather(working, ended, return_exceptions=True)

    async def stop(self) -> None:
        """Ask the agent to stop, and wait until it has.

        Raises:
            DemoError: it does not, or failed; the message has the end of its log.
        """
        send_signal(self._process, signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_S):
                status = await self._process.wait()
        except TimeoutError:
            self._fail(f"did not stop within {_STOP_S:g} s", None)
        if status != 0:
            self._fail("failed", status)

    def _fail(self, what: str, status: int | None) -> NoReturn:
        headline = f"the agent {what} (exit status {status}); the end of its log:"
        raise DemoError("\n".join([headline, *last_lines(self._log, _LOG_TAIL)]))


@asynccontextmanager
async def agent_process(*, transport: str, config: Path, speed: float, log: Path) -> AsyncIterator[AgentProcess]:
    """Run the agent while the context lasts.

    Args:
        transport: bumble transport of its Bluetooth controller.
        config: its configuration file.
        speed: how fast its time passes.
        log: file for what it says.
    """
    arguments = ["--hci", transport, "--config", str(config), "--speed", str(speed)]
    with log.open("wb") as log_file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "edge_agent.demo.agent_process", *arguments, stdout=log_file, stderr=log_file
        )
    try:
        yield AgentProcess(process, log)
    finally:
        send_signal(process, signal.SIGKILL)  # if it still runs, the demo failed: nothing of this record is wanted
        await process.wait()
