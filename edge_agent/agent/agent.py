"""The agent: sensors on one side, a broker on the other, the journal between them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator
from random import Random

from edge_agent.agent.clock import Clock
from edge_agent.agent.commands import Commander
from edge_agent.agent.events import Events
from edge_agent.agent.recorder import Recorder
from edge_agent.agent.sensor_events import watch_sensors
from edge_agent.agent.status import keep_status
from edge_agent.agent.upkeep import date_when_trusted, retire_hourly
from edge_agent.config import AgentConfig, MqttConfig, Share
from edge_agent.errors import ConfigError
from edge_agent.sensors.links.claims import Claims
from edge_agent.sensors.links.host import Host
from edge_agent.sensors.links.links import Links
from edge_agent.store.journal import Journal
from edge_agent.sync.connection import Connection
from edge_agent.sync.disclosure import EVENTS_TOLD, Disclosure
from edge_agent.sync.home_assistant import HomeAssistant
from edge_agent.sync.inbox import Inbox
from edge_agent.sync.live_values import LiveValues
from edge_agent.sync.outbox import OutboxSync
from edge_agent.sync.topics import Topics

log = logging.getLogger(__name__)

# How long a stop waits for the broker to take what is queued; what is left goes out after the next start.
# systemd kills a service that takes longer than 90 s to stop.
DRAIN_S = 10.0


async def run(config: AgentConfig, *, clock: Clock, host: Host, stop: asyncio.Event) -> None:
    """Record until `stop` is set, then close the sessions and hand their summaries to the broker.

    Args:
        config: what to record, and where to.
        clock: the agent's time.
        host: Bluetooth below bleak.
        stop: when to end.

    Raises:
        HeartlineError: the journal, the model or the configuration cannot be used (in an exception group when it
            happens while recording).
    """
    with Journal(config.store.directory) as journal:
        mqtt = config.mqtt if config.mqtt and config.mqtt.share is not Share.OFF else None
        events = Events(journal, clock, told=mqtt is not None and mqtt.share in EVENTS_TOLD)
        recorder = Recorder(config, journal, clock, events, enqueue=mqtt is not None)
        recorder.close_interrupted()
        async with _sync(mqtt, journal, recorder, clock) as sync:
            links = Links(
                config.listed_sensors,
                Claims(config.store.directory),
                host=host,
                now_s=clock.monotonic_s,
                random=Random(),  # noqa: S311 - of pauses, not of keys
                on_packet=recorder.take,
                on_sensors=recorder.arrange,
            )
            _require_sensors(links)
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(links.run(), name="links"),
                    tasks.create_task(recorder.run(), name="record"),
                    tasks.create_task(date_when_trusted(journal, clock), name="dating"),
                    tasks.create_task(retire_hourly(journal, clock, config.store), name="retention"),
                    tasks.create_task(watch_sensors(links, recorder, events, clock), name="sensor events"),
                    tasks.create_task(keep_status(links, recorder, config.store.directory, clock), name="status"),
                ]
                await stop.wait()
                log.info("stopping")
                for task in running:
                    task.cancel()
            recorder.close()
            await _drain(sync)


async def run_until_signalled(config: AgentConfig, *, clock: Clock, host: Host) -> None:
    """Record until SIGTERM or SIGINT.

    Raises:
        HeartlineError: the journal, the model or the configuration cannot be used.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        await run(config, clock=clock, host=host, stop=stop)
    except BaseExceptionGroup as group:
        # A task failed and took the others with it: what it failed of is what its user wants to read.
        cause: BaseException = group
        while isinstance(cause, BaseExceptionGroup) and len(cause.exceptions) == 1:
            cause = cause.exceptions[0]
        raise cause from None


def _require_sensors(links: Links) -> None:
    if not links.status():
        msg = (
            "no sensor is claimed; run `edge-agent pair --config FILE --closest` with the strap worn and near, or list "
            "it in the configuration (docs/configuration.md)"
        )
        raise ConfigError(msg)


@contextlib.asynccontextmanager
async def _sync(
    mqtt: MqttConfig | None, journal: Journal, recorder: Recorder, clock: Clock
) -> AsyncIterator[OutboxSync | None]:
    """The way to the broker and from it, when there is one to which something is told."""
    if mqtt is None:
        yield None
        return
    topics = Topics(mqtt.topic_prefix, journal.device_id)
    disclosure = Disclosure(mqtt.share, None if mqtt.athlete_names else journal.pseudonym_key)
    connection = Connection(mqtt, topics, Random())  # noqa: S311 - of pauses, not of keys
    shown = (
        HomeAssistant(connection, topics, disclosure, journal.shared_athletes, commands=mqtt.commands)
        if mqtt.home_assistant
        else None
    )
    outbox = OutboxSync(journal, connection, topics, disclosure, clock, follow=shown.follow if shown else None)
    work = {"broker": connection.run, "outbox": outbox.run}
    if shown:
        work["home assistant"] = shown.run
    if mqtt.commands:
        commander = Commander(journal, recorder, disclosure, clock, sync_now=outbox.send_now)
        inbox = Inbox(journal, connection, topics, clock, switched_on=mqtt.commands, obey=commander.obey)
        work["commands"] = inbox.run
    if mqtt.share is Share.LIVE:
        recorder.when_second(LiveValues(connection, topics, disclosure, clock).show)
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(run(), name=name) for name, run in work.items()]
        yield outbox
        for task in running:
            task.cancel()


async def _drain(sync: OutboxSync | None) -> None:
    if sync is None:
        return
    try:
        async with asyncio.timeout(DRAIN_S):
            await sync.drained()
    except TimeoutError:
        log.warning("broker: has not taken every summary; what is left goes out after the next start")
