"""The agent: a strap on one side, a broker on the other, the journal between them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator

from edge_agent.agent.clock import Clock
from edge_agent.agent.session import LiveSession, begins_session
from edge_agent.agent.upkeep import date_when_trusted, retire_hourly
from edge_agent.config import AgentConfig
from edge_agent.inference.models import WorkoutModel
from edge_agent.sensors.links.heart_rate_strap import HeartRateStrap
from edge_agent.sensors.profiles.heart_rate import HeartRateMeasurement
from edge_agent.store.journal import Journal
from edge_agent.sync.outbox import OutboxSync
from edge_agent.sync.publisher import Publisher

log = logging.getLogger(__name__)

# How long a stop waits for the broker to take what is queued; what is left goes out after the next start.
# systemd kills a service that takes longer than 90 s to stop.
DRAIN_S = 10.0


async def run(config: AgentConfig, *, clock: Clock, stop: asyncio.Event) -> None:
    """Record until `stop` is set, then close the session and hand its summary to the broker.

    Raises:
        HeartlineError: the journal, the model or the configuration cannot be used (in an exception group when it
            happens while recording).
    """
    with Journal(config.store.directory) as journal:
        async with _sync(config, journal) as sync:
            recorder = _Recorder(config, journal, sync, clock)
            recorder.close_interrupted()
            strap = HeartRateStrap(config.strap, recorder.add)
            async with asyncio.TaskGroup() as tasks:
                link = tasks.create_task(strap.run(), name="link")
                record = tasks.create_task(recorder.run(), name="record")
                dating = tasks.create_task(date_when_trusted(journal, clock), name="dating")
                retention = tasks.create_task(retire_hourly(journal, clock, config.store), name="retention")
                await stop.wait()
                log.info("stopping")
                dating.cancel()
                retention.cancel()
                link.cancel()
                record.cancel()
            recorder.close()
            await _drain(sync)


async def run_until_signalled(config: AgentConfig, *, clock: Clock) -> None:
    """Record until SIGTERM or SIGINT.

    Raises:
        HeartlineError: the journal, the model or the configuration cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await run(config, clock=clock, stop=stop)
    except BaseExceptionGroup as group:
        # A task failed and took the others with it: what it failed of is what its user wants to read.
        cause: BaseException = group
        while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
            cause = cause.exceptions[0]
        raise cause from None


@contextlib.asynccontextmanager
async def _sync(config: AgentConfig, journal: Journal) -> AsyncIterator[OutboxSync | None]:
    """The way to the broker, when there is one configured."""
    if config.mqtt is None:
        yield None
        return
    async with Publisher(config.mqtt, journal.device_id) as publisher, asyncio.TaskGroup() as tasks:
        sync = OutboxSync(journal, publisher)
        task = tasks.create_task(sync.run(), name="sync")
        yield sync
        task.cancel()


async def _drain(sync: OutboxSync | None) -> None:
    if sync is None:
        return
    try:
        async with asyncio.timeout(DRAIN_S):
            await sync.drained()
    except TimeoutError:
        log.warning("broker: has not taken every summary; what is left goes out after the next start")


class _Recorder:
    """Opens a session when a heart rate comes, advances it every second, and closes it."""

    def __init__(self, config: AgentConfig, journal: Journal, sync: OutboxSync | None, clock: Clock) -> None:
        self._athlete = config.athlete.name
        self._journal = journal
        self._sync = sync
        self._clock = clock
        self._model = WorkoutModel(config.store.directory, cache=config.store.directory)
        self._session: LiveSession | None = None
        self._begun = asyncio.Event()
        log.info("model: workout %s, %s", self._model.version, self._model.form)

    def close_interrupted(self) -> None:
        """Close what an earlier run could not."""
        for session in self._journal.open_sessions():
            self._journal.close_session(session, interrupted=True, enqueue=self._sync is not None)
            log.warning("session: an interrupted one was closed; none of its recorded seconds is lost")
            self._notify()

    def add(self, measurement: HeartRateMeasurement) -> None:
        """Take a measurement, as it arrives."""
        arrival_s = self._clock.monotonic_s()
        if self._session is None:
            if not begins_session(measurement):
                return
            self._session = LiveSession(
                self._journal,
                self._model,
                clock=self._clock,
                athlete=self._athlete,
                first_arrival_s=arrival_s,
            )
            log.info("session: begun")
            self._begun.set()
        self._session.add(measurement, arrival_s)

    async def run(self) -> None:
        """Advance the session, second by second, until cancelled."""
        while True:
            await self._begun.wait()
            while self._session is not None:
                await self._clock.sleep(self._session.due_s - self._clock.monotonic_s())
                self._session.advance()
                if self._session.idle:
                    self.close()

    def close(self) -> None:
        """End the session, if there is one."""
        self._begun.clear()
        if self._session is None:
            return
        session, self._session = self._session, None
        summary = session.close(enqueue=self._sync is not None)
        if summary is not None:
            log.info("session: closed, %d s recorded", summary.recorded_s)
            self._notify()

    def _notify(self) -> None:
        if self._sync is not None:
            self._sync.notify()
