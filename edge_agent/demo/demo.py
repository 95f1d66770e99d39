"""The whole way on one machine: strap, radio, agent, journal, broker, subscriber.

The agent is the one of `edge-agent run`, in a process of its own. This process is the world around it.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_agent.agent.clock import Clock, SystemClock
from edge_agent.demo.broker import BrokerAddress, own_broker
from edge_agent.demo.child import AgentProcess, agent_process
from edge_agent.demo.errors import DemoError
from edge_agent.demo.radio import virtual_radio
from edge_agent.demo.report import Session, closed_sessions, landed, live_heading, live_line, score_table
from edge_agent.demo.simulation import StrapSecond, interval_workout, replayed, simulate
from edge_agent.demo.strap import VirtualStrap
from edge_agent.demo.subscriber import Received, subscription
from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.recordings.read import read_recordings
from edge_agent.store.database import FILE_NAME
from edge_agent.store.summary import Summary

TOPIC_PREFIX = "heartline-demo"  # apart from a real device's, in case the broker is
SEED = 1

_FIND_S = 60.0  # of real time to start an agent and find the strap: 1 s where this was written, more on a small device
_DELIVER_S = 10.0  # of real time from the broker's acknowledgement to its delivery
_SETTLE_S = 0.2  # of real time between the subscription and the first notification
_LINE_EVERY_S = 30

# Below this the record is not what the strap sent. Some seconds may come late when other programs are busy.
_LANDED_AT_LEAST = 0.8


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for.

    Attributes:
        speed: how much faster than real time.
        recording: file that the strap plays; None for a simulated workout.
        duration_s: length of what is played; None for all of the recording.
        mqtt: host and port of the broker; None to start one.
        mosquitto: program of the broker to start; None for one inside this process.
        scratch: where to make the folder of the record, which is deleted afterwards; None for the usual place.
    """

    speed: float
    recording: Path | None
    duration_s: int | None
    mqtt: tuple[str, int] | None
    mosquitto: str | None
    scratch: Path | None = None


def run_demo(options: Options, *, say: Callable[[str], object] = print) -> None:
    """Run it, and return only if everything has happened that it shows.

    Raises:
        DemoError: something did not happen.
        RecordingError: the recording cannot be read.
        BundleError: the model cannot be used.
    """
    seconds = _seconds(options)
    horizons_s = read_bundle(SHIPPED_BUNDLE).manifest.cell.horizons_s
    with tempfile.TemporaryDirectory(prefix="heartline-demo-", dir=options.scratch) as directory:
        try:
            asyncio.run(_Demo(options, seconds, horizons_s, Path(directory), say).run())
        except asyncio.CancelledError as error:
            msg = "stopped by a signal"
            raise DemoError(msg) from error


def _seconds(options: Options) -> list[StrapSecond]:
    if options.recording is None:
        return list(simulate(interval_workout(options.duration_s or 0), seed=SEED))
    recordings, errors = read_recordings(options.recording)
    if errors:
        raise errors[0]
    if len(recordings) != 1:
        msg = f"{options.recording}: holds {len(recordings)} recordings; name the file of one"
        raise DemoError(msg)
    seconds = list(itertools.islice(replayed(recordings[0]), options.duration_s))
    if not any(second.heart_rate_bpm for second in seconds):
        msg = f"{options.recording}: no heart rate in what would be played; choose another recording"
        raise DemoError(msg)
    return seconds


class _Demo:
    def __init__(
        self,
        options: Options,
        seconds: Sequence[StrapSecond],
        horizons_s: Sequence[int],
        directory: Path,
        say: Callable[[str], object],
    ) -> None:
        self._options = options
        self._seconds = seconds
        self._horizons_s = horizons_s
        self._directory = directory
        self._store = directory / "store"
        self._say = say

    async def run(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio.run makes one
        for number in (signal.SIGTERM, signal.SIGHUP):  # end what was started, whatever ends the demo
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        async with AsyncExitStack() as stack:
            broker = await self._broker(stack)
            inbox = await stack.enter_async_context(subscription(broker, f"{TOPIC_PREFIX}/+/session"))
            radio = await stack.enter_async_context(virtual_radio())
            strap = VirtualStrap(radio.link)
            await strap.power_on()
            stack.callback(strap.power_off)
            agent = await stack.enter_async_context(
                agent_process(
                    transport=radio.transport,
                    config=self._write_config(broker, strap),
                    speed=self._options.speed,
                    log=self._directory / "agent.log",
                )
            )
            self._introduce(broker, agent)
            await agent.outlive(self._wait_for_link(strap))
            await agent.outlive(self._play(strap))
            await agent.stop()
            sessions, queued = closed_sessions(self._store)
            summaries = await self._receive(inbox, sessions)
        self._conclude(broker, sessions, summaries, queued)

    async def _broker(self, stack: AsyncExitStack) -> BrokerAddress:
        if self._options.mqtt is not None:
            return BrokerAddress(*self._options.mqtt, "the broker you named")
        return await stack.enter_async_context(own_broker(self._options.mosquitto, self._directory))

    def _write_config(self, broker: BrokerAddress, strap: VirtualStrap) -> Path:
        path = self._directory / "agent.toml"
        path.write_text(
            f"[strap]\naddress = {_toml(strap.address)}\n"
            f"[store]\ndirectory = {_toml(str(self._store))}\n"
            f"[mqtt]\nhost = {_toml(broker.host)}\nport = {broker.port}\ntopic_prefix = {_toml(TOPIC_PREFIX)}\n",
            encoding="utf-8",
        )
        return path

    def _introduce(self, broker: BrokerAddress, agent: AgentProcess) -> None:
        what = "a simulated interval workout" if self._options.recording is None else str(self._options.recording)
        self._say(f"strap:   virtual, over a virtual Bluetooth link; plays {what},")
        self._say(f"         {len(self._seconds) / 60:.3g} minutes at {self._options.speed:g} times its speed")
        self._say(f"broker:  {broker.name}, {broker.host}:{broker.port}")
        self._say(f"agent:   process {agent.pid}, the one of `edge-agent run`")
        self._say("")

    async def _wait_for_link(self, strap: VirtualStrap) -> None:
        try:
            async with asyncio.timeout(_FIND_S):
                await strap.wait_for_subscriber()
        except TimeoutError as error:
            msg = f"the agent did not find the virtual strap within {_FIND_S:g} s"
            raise DemoError(msg) from error
        await asyncio.sleep(_SETTLE_S)

    async def _play(self, strap: VirtualStrap) -> None:
        clock = SystemClock(self._options.speed)
        self._say(live_heading(self._horizons_s))
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._watch(clock))
            await strap.play(self._seconds, clock=clock)
            await clock.sleep(1)  # the last second has to pass before it counts
            watching.cancel()

    async def _watch(self, clock: Clock) -> None:
        start_s = clock.monotonic_s()
        for count in itertools.count(1):
            await clock.sleep(start_s + count * _LINE_EVERY_S - clock.monotonic_s())
            line = live_line(self._store / FILE_NAME, self._horizons_s)
            if line is not None:
                self._say(line)

    async def _receive(self, inbox: asyncio.Queue[Received], sessions: Sequence[Session]) -> list[Summary]:
        """The summaries of these sessions, in their order, as the broker delivers them."""
        awaited = {session.session_id for session in sessions}
        found: dict[str, Summary] = {}
        try:
            async with asyncio.timeout(_DELIVER_S):
                while awaited - found.keys():
                    summary = _decode(await inbox.get())
                    found[summary.session_id] = summary
        except TimeoutError as error:
            missing = len(awaited - found.keys())
            msg = f"the broker did not deliver {missing} of {len(awaited)} summaries within {_DELIVER_S:g} s"
            raise DemoError(msg) from error
        return [found[session.session_id] for session in sessions]

    def _conclude(
        self, broker: BrokerAddress, sessions: Sequence[Session], summaries: Sequence[Summary], queued: int
    ) -> None:
        say = self._say
        for summary in summaries:
            say("")
            say("The forecasts it made, against what came:")
            for line in score_table(summary.forecast):
                say(line)
            say("")
            say(f"The summary, as read back from {broker.name}:")
            say(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode())
        say("")
        in_place, worn = landed(self._seconds, sessions)
        say(
            f"The journal holds {in_place} of the {worn} seconds in their place; {queued} summaries wait in its outbox."
        )
        if not sessions:
            msg = "the agent recorded nothing"
            raise DemoError(msg)
        if in_place < _LANDED_AT_LEAST * worn:
            msg = (
                f"at {self._options.speed:g} times real time this machine loses the beat: {in_place} of {worn} seconds "
                f"were recorded as sent; try --speed {max(self._options.speed / 2, 1):g}"
            )
            raise DemoError(msg)
        if queued:
            msg = f"{queued} summaries were not acknowledged by {broker.name}"
            raise DemoError(msg)


def _decode(message: Received) -> Summary:
    try:
        return msgspec.json.decode(message.payload, type=Summary)
    except msgspec.MsgspecError as error:
        msg = f"{message.topic}: not a summary ({error}); is something else publishing there?"
        raise DemoError(msg) from error


def _toml(text: str) -> str:
    return msgspec.json.encode(text).decode()  # a JSON string is a TOML string
