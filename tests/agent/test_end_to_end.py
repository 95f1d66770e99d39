"""The agent as its user runs it: a process of its own, a strap on a radio, a real broker, real runs."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

import msgspec
import pytest

from edge_agent.agent.clock import SystemClock
from edge_agent.demo.radio import VirtualRadio, virtual_radio
from edge_agent.demo.simulation import StrapSecond
from edge_agent.demo.strap import VirtualStrap
from edge_agent.store.identifiers import uuid7
from edge_agent.store.messages import Event
from edge_agent.store.summary import Summary
from edge_agent.sync.commands import Answer
from edge_agent.sync.live import Live
from tests.demo.virtual_room import until
from tests.mosquitto import mosquitto, program

# A notification that is late by HOLD_S of the agent's time is a gap: at the first of these speeds a quarter of a real
# second, which a busy machine takes now and then. How busy it is decides no test: it may take the second speed.
SPEEDS = (12.0, 3.0)
LOST_AT_MOST = 0.02


@dataclass(frozen=True, slots=True)
class Bench:
    """What the agent under test is connected to.

    Attributes:
        speed: of the agent's clock and the strap's.
    """

    speed: float
    radio: VirtualRadio
    strap: VirtualStrap
    config: Path
    store: Path
    port: int
    subscriber: asyncio.subprocess.Process

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "edge_agent.demo.agent_process"),
            *("--hci", self.radio.transport, "--speed", str(self.speed), "--config", str(self.config)),
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                os.kill(process.pid, signal.SIGKILL)
            await process.wait()

    def journalled(self) -> list[tuple[int, float | None]]:
        """Seconds and heart rates that are on the disk now."""
        db = sqlite3.connect(f"file:{self.store}/journal.sqlite3?mode=ro", uri=True)
        try:
            return db.execute("SELECT t_s, heart_rate_bpm FROM second ORDER BY session_id, t_s").fetchall()
        except sqlite3.OperationalError:  # not made yet
            return []
        finally:
            db.close()

    async def summary(self) -> Summary:
        """The next summary that mosquitto's own client receives."""
        assert self.subscriber.stdout is not None
        line = await asyncio.wait_for(self.subscriber.stdout.readline(), 30)
        return msgspec.json.decode(line, type=Summary)

    async def subscribed(self, *topics: str) -> asyncio.subprocess.Process:
        """mosquitto's own client, subscribed to more; it prints topic and payload."""
        options = [option for topic in topics for option in ("-t", topic)]
        return await asyncio.create_subprocess_exec(
            *("stdbuf", "-oL", program("mosquitto_sub"), "-p", str(self.port), "-q", "1", "-v", *options),
            stdout=asyncio.subprocess.PIPE,
        )

    async def command(self, name: str) -> Answer:
        """Have mosquitto's own client send a command and wait for the answer."""
        with closing(sqlite3.connect(f"file:{self.store}/journal.sqlite3?mode=ro", uri=True)) as journal:
            (device,) = journal.execute("SELECT id FROM device").fetchone()
        content = {"schema": 1, "command": name, "command_id": str(uuid7(datetime.now(UTC)))}
        asking = await asyncio.create_subprocess_exec(
            *(program("mosquitto_rr"), "-p", str(self.port), "-V", "5", "-q", "1", "-W", "10"),
            *("-t", f"heartline/{device}/command", "-e", "phone/answers", "-m", json.dumps(content)),
            stdout=asyncio.subprocess.PIPE,
        )
        return msgspec.json.decode((await asking.communicate())[0], type=Answer)

    async def play(self, heart_rates_bpm: list[int]) -> None:
        """Have the strap tell heart rates, one a second."""
        seconds = (StrapSecond(bpm, ()) for bpm in heart_rates_bpm)
        await self.strap.play(seconds, clock=SystemClock(self.speed))

    async def no_further_summary(self) -> bool:
        assert self.subscriber.stdout is not None
        try:
            await asyncio.wait_for(self.subscriber.stdout.readline(), 2)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def connected(tmp_path: Path, speed: float) -> AsyncIterator[Bench]:
    async with virtual_radio() as radio:
        with mosquitto(tmp_path) as port:
            strap = VirtualStrap(radio.link)
            await strap.power_on()
            config = tmp_path / "agent.toml"
            config.write_text(
                f'[strap]\nname = "{strap.name}"\n[athlete]\nname = "ada"\n'
                f'[store]\ndirectory = "store"\n[mqtt]\nhost = "127.0.0.1"\nport = {port}\n'
                'share = "live"\ncommands = ["lap"]\n'
            )
            subscriber = await asyncio.create_subprocess_exec(
                *("stdbuf", "-oL", program("mosquitto_sub"), "-h", "127.0.0.1", "-p", str(port), "-q", "1"),
                *("-t", "heartline/+/session"),
                stdout=asyncio.subprocess.PIPE,
            )
            try:
                yield Bench(speed, radio, strap, config, tmp_path / "store", port, subscriber)
            finally:
                subscriber.terminate()
                await subscriber.communicate()
                strap.power_off()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with connected(tmp_path, SPEEDS[0]) as connected_bench:
        yield connected_bench


def heart_rates_of(run: Path) -> list[int]:
    """Heart rate of a run, read without Heartline."""
    with run.open(newline="") as file:
        return [round(float(row["heart_rate"])) for row in csv.DictReader(file)]


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a run."""

    summary: Summary
    lap: Answer
    journalled: list[tuple[int, float | None]]
    live: list[Live]
    events: list[Event]

    def lost(self, of: int) -> float:
        """Share of a run's seconds that was not recorded."""
        return 1 - self.summary.recorded_s / of


async def told_of_a_run(bench: Bench, heart_rates_bpm: list[int]) -> Told:
    async with bench.agent() as agent:
        await asyncio.wait_for(bench.strap.wait_for_subscriber(), 30)
        others = await bench.subscribed("heartline/+/event", "heartline/+/athlete/+/live")
        hearing = asyncio.create_task(others.communicate())
        playing = asyncio.create_task(bench.play(heart_rates_bpm))
        await until(lambda: len(bench.journalled()) > 100, timeout_s=60)
        lap = await bench.command("lap")
        await playing
        agent.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(agent.wait(), 30) == 0
    summary = await bench.summary()
    assert await bench.no_further_summary()
    others.terminate()
    said = [line.split(b" ", 1)[1] for line in (await hearing)[0].splitlines()]
    live = [msgspec.json.decode(payload, type=Live) for payload in said if b"heart_rate_bpm" in payload]
    events = [msgspec.json.decode(payload, type=Event) for payload in said if b"event_id" in payload]
    return Told(summary, lap, bench.journalled(), live, events)


async def test_a_real_run_from_strap_to_broker(tmp_path_factory: pytest.TempPathFactory, data_root: Path) -> None:
    (run,) = (data_root / "athlete-hr-predict" / "published-test").glob("RUN_2021-08-05*.csv")
    expected = heart_rates_of(run)[:300]
    for speed in SPEEDS:
        async with connected(tmp_path_factory.mktemp("bench"), speed) as bench:
            told = await told_of_a_run(bench, expected)
        if told.lost(len(expected)) <= LOST_AT_MOST:
            break

    summary = told.summary
    assert re.fullmatch("[0-9a-f]{16}", summary.athlete)  # a pseudonym
    assert not summary.interrupted
    assert summary.duration_s == pytest.approx(len(expected), abs=5)
    assert summary.recorded_s == pytest.approx(len(expected), rel=LOST_AT_MOST)
    assert summary.heart_rate_mean_bpm == pytest.approx(fmean(expected), abs=0.5)
    assert summary.heart_rate_max_bpm == pytest.approx(max(expected), abs=1)
    assert summary.heart_rate_min_bpm == pytest.approx(min(expected), abs=1)
    assert set(summary.forecast) == {10, 30, 60}
    for horizon_s, score in summary.forecast.items():
        assert score.scored == pytest.approx(len(expected) - horizon_s, rel=2 * LOST_AT_MOST)
    assert [row[0] for row in told.journalled] == list(range(len(told.journalled)))
    assert (told.lap.done, str(told.lap.session_id)) == (True, summary.session_id)
    assert [event.name for event in told.events] == ["session_started", "lap", "session_ended"]
    assert summary.lap_ends_s == (told.events[1].t_s,)
    assert len(told.live) == pytest.approx(len(expected), rel=2 * LOST_AT_MOST)  # after a delay the last second alone
    assert {now.athlete for now in told.live} == {summary.athlete}
    assert fmean(now.heart_rate_bpm for now in told.live if now.heart_rate_bpm) == pytest.approx(fmean(expected), abs=1)
    assert (told.live[-1].session_id, told.live[-1].heart_rate_bpm) == (None, None)


async def test_an_agent_killed_in_mid_session_loses_nothing_and_sends_its_summary_once(
    bench: Bench, data_root: Path
) -> None:
    (run,) = (data_root / "athlete-hr-predict" / "published-test").glob("RUN_2021-08-05*.csv")
    expected = heart_rates_of(run)[:200]
    async with bench.agent() as agent:
        await asyncio.wait_for(bench.strap.wait_for_subscriber(), 30)
        playing = asyncio.create_task(bench.play(expected))
        await until(lambda: len(bench.journalled()) > 100, timeout_s=30)
        os.kill(agent.pid, signal.SIGKILL)
        await agent.wait()
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    before = bench.journalled()
    assert await bench.no_further_summary()

    async with bench.agent() as agent:
        summary = await bench.summary()
        assert summary.interrupted
        assert summary.duration_s == before[-1][0] + 1
        assert summary.recorded_s == sum(bpm is not None for _, bpm in before)
        assert summary.heart_rate_max_bpm == max(bpm for _, bpm in before if bpm is not None)
        assert bench.journalled() == before

        await until(lambda: bench.strap.subscribed, timeout_s=30)
        await bench.play(expected[-40:])
        agent.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(agent.wait(), 30) == 0
    second = await bench.summary()
    assert not second.interrupted
    assert second.session_id != summary.session_id
    assert bench.journalled()[: len(before)] == before
    assert await bench.no_further_summary()
