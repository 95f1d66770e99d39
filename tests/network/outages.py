"""A broker or a network that goes away, and what is between there and not there."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from paho.mqtt.enums import MQTTProtocolVersion

from edge_agent.config import MqttConfig
from edge_agent.demo.broker import own_broker
from edge_agent.store.journal import Journal
from edge_agent.store.sessions import NewSession
from tests.mosquitto import free_port, mosquitto, mosquitto_process
from tests.network.backend import Backend, backend
from tests.network.case import Case, Row, World, noted
from tests.network.simulated_time import simulated_loop
from tests.store.samples import second
from tests.sync.gate import Gate, gate
from tests.sync.test_outbox import queue, syncing

_HOST = "127.0.0.1"
_ANYBODY = "allow_anonymous true\n"
_SESSION_S = 1800

_IPTABLES = ("iptables",)
_AT_RANDOM = ("-m", "statistic", "--mode", "random", "--probability", "0.3")


async def broker_gone(folder: Path, *, hours: int = 72, sessions: int = 40) -> Row:
    """The broker stops, sessions are recorded, the device is started anew halfway; the broker comes back."""
    port = free_port()
    # What a broker has to keep over its restarts: subscriptions and messages.
    settings = f"{_ANYBODY}persistence true\npersistence_location {folder}/\n"

    async def days_pass(journal: Journal) -> list[str]:
        ids = []
        for _ in range(sessions // 2):
            await asyncio.sleep(hours * 3600 / sessions)
            ids.append(_record(journal))
        return ids

    with ExitStack() as until_gone, noted() as said:
        until_gone.enter_context(mosquitto(folder, port=port, settings=settings))
        with backend(port) as counted:
            async with _door(port) as door:
                config = MqttConfig(_HOST, door.port)
                with Journal(folder / "store") as journal:
                    async with syncing(journal, config):
                        await _connected(said)
                        until_gone.close()
                        await door.shut()
                        ids = await days_pass(journal)
                with Journal(folder / "store") as journal:
                    async with syncing(journal, config) as sync:
                        ids += await days_pass(journal)
                        with mosquitto(folder, port=port, settings=settings):
                            counted.listen()
                            await door.open()
                            recovered_s = await _time_of(sync.drained)
                            count = await counted.count(ids)
    return Row(said, None, recovered_s, len(ids), count.lost, count.twice)


@asynccontextmanager
async def _door(port: int) -> AsyncIterator[Gate]:
    """A gate to a broker; time may pass at once while nobody is in it."""
    async with gate() as door:
        door.leads_to = port
        simulated_loop().quiet_when(lambda: door.empty)
        yield door


def _record(journal: Journal) -> str:
    """Half an hour of training; gives the session's id."""
    new = NewSession(uuid.uuid4(), "ada", datetime.now(UTC), time_trusted=True, model_version="0.1.0")
    row = journal.open_session(new, [second(0)])
    journal.accept(row, [second(t_s) for t_s in range(1, _SESSION_S)])
    journal.close_session(row, interrupted=False, enqueue=True)
    return str(new.uuid)


async def _time_of(what: Callable[[], Awaitable[object]]) -> float:
    began_s = asyncio.get_running_loop().time()
    await what()
    return asyncio.get_running_loop().time() - began_s


async def killed_before_it_acknowledges(folder: Path) -> Row:
    """The broker has handed a message on, and dies before its acknowledgement is out."""
    port = free_port()
    with ExitStack() as until_killed, noted() as said, Journal(folder / "store") as journal:
        broker = until_killed.enter_context(mosquitto_process(folder, port=port, settings=_ANYBODY))
        with backend(port) as counted:
            async with _door(port) as door, syncing(journal, MqttConfig(_HOST, door.port)) as sync:
                await _connected(said)
                door.withholds = True
                ids = queue(journal, 1)
                await counted.has(ids)
                door.leads_to, door.withholds = free_port(), False
                broker.kill()
                until_killed.close()
                with mosquitto(folder, port=port):
                    counted.listen()
                    door.leads_to = port
                    recovered_s = await _time_of(sync.drained)
                    count = await counted.count(ids)
            return Row(said, door.entered, recovered_s, len(ids), count.lost, count.twice)


async def acknowledges_nothing(folder: Path, *, duration_s: float = 600.0) -> Row:
    """A broker that answers pings and hands messages on, and acknowledges none."""
    loop = simulated_loop()
    with mosquitto(folder) as port, backend(port) as counted, noted() as said, Journal(folder / "store") as journal:
        async with _door(port) as door, syncing(journal, MqttConfig(_HOST, door.port)) as sync:
            await _connected(said)
            door.withholds = True
            began_s = loop.time()
            ids = queue(journal, 1)
            await counted.has(ids)
            loop.quiet_when(lambda: True)  # it was handed on, and now nothing comes
            await _more_of(said)
            noticed_s = loop.time() - began_s
            loop.quiet_when(lambda: door.empty)
            await asyncio.sleep(duration_s)
            door.withholds = False
            recovered_s = await _time_of(sync.drained)
            count = await counted.count(ids)
        return Row(said, door.entered, recovered_s, len(ids), count.lost, count.twice, noticed_s)


async def _connected(said: dict[str, int]) -> None:
    while "broker: connected" not in said:
        await asyncio.sleep(0.05)


async def _more_of(said: dict[str, int]) -> None:
    before = dict(said)
    while said == before:
        await asyncio.sleep(0.1)


async def other_server(folder: Path, *, duration_s: float = 86_400.0) -> Row:
    """The port is that of a web server, until it is that of the broker."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n")
        writer.close()

    web = await asyncio.start_server(refuse, _HOST, 0)
    with mosquitto(folder) as port, backend(port) as counted, noted() as said, Journal(folder / "store") as journal:
        ids = queue(journal, 1)
        web_port = web.sockets[0].getsockname()[1]
        async with web, _door(web_port) as door, syncing(journal, MqttConfig(_HOST, door.port)) as sync:
            await asyncio.sleep(duration_s)
            door.leads_to = port
            recovered_s = await _time_of(sync.drained)
            count = await counted.count(ids)
        return Row(said, door.entered, recovered_s, len(ids), count.lost, count.twice)


async def late(folder: Path, *, delay_s: float = 2.0) -> Row:
    """Everything takes a while, each way."""
    with mosquitto(folder) as port, backend(port) as counted, noted() as said, Journal(folder / "store") as journal:
        ids = queue(journal, 40)
        async with _door(port) as door:
            door.delay_s = delay_s
            async with syncing(journal, MqttConfig(_HOST, door.port)) as sync:
                recovered_s = await _time_of(sync.drained)
            count = await counted.count(ids)
        return Row(said, door.entered, recovered_s, len(ids), count.lost, count.twice)


async def old_protocol(folder: Path) -> Row:
    """A broker that knows MQTT 3.1.1 alone, and ends a connection of MQTT 5 without a word."""
    with noted() as said, Journal(folder / "store") as journal:
        ids = queue(journal, 3)
        async with own_broker(None, folder) as broker:
            counted = await asyncio.to_thread(Backend, [broker.port], version=MQTTProtocolVersion.MQTTv311)
            await asyncio.to_thread(counted.listen)
            async with syncing(journal, MqttConfig(broker.host, broker.port)) as sync:
                recovered_s = await _time_of(sync.drained)
                count = await counted.count(ids)
            await asyncio.to_thread(counted.close)
    return Row(said, None, recovered_s, len(ids), count.lost, count.twice)


async def half_open(folder: Path) -> Row:
    """Nothing goes through any more, and nobody says so; five minutes later it does again."""
    lossy, clean = free_port(), free_port()
    settings = f"{_ANYBODY}listener {clean} {_HOST}\n"
    with (
        mosquitto(folder, port=lossy, settings=settings),
        backend(clean) as counted,
        noted() as said,
        Journal(folder / "store") as journal,
    ):
        async with syncing(journal, MqttConfig(_HOST, lossy)) as sync:
            await _connected(said)
            with _dropping(lossy):
                ids = queue(journal, 3)
                noticed_s = await _time_of(lambda: _more_of(said))
                await asyncio.sleep(300 - noticed_s)
            recovered_s = await _time_of(sync.drained)
            count = await counted.count(ids)
            assert counted.online
    return Row(said, None, recovered_s, len(ids), count.lost, count.twice, noticed_s)


async def packets_lost(folder: Path) -> Row:
    """Three of ten packets are lost, each way."""
    lossy, clean = free_port(), free_port()
    settings = f"{_ANYBODY}listener {clean} {_HOST}\n"
    with (
        mosquitto(folder, port=lossy, settings=settings),
        backend(clean) as counted,
        noted() as said,
        Journal(folder / "store") as journal,
        _dropping(lossy, *_AT_RANDOM),
    ):
        ids = queue(journal, 40)
        async with syncing(journal, MqttConfig(_HOST, lossy)) as sync:
            recovered_s = await _time_of(sync.drained)
            count = await counted.count(ids)
    return Row(said, None, recovered_s, len(ids), count.lost, count.twice)


@contextmanager
def _dropping(port: int, *which: str) -> Iterator[None]:
    """Drop what goes to a port and what comes from it, in this network namespace."""
    rules = [("INPUT", "-p", "tcp", end, str(port), *which, "-j", "DROP") for end in ("--dport", "--sport")]
    for rule in rules:
        subprocess.run((*_IPTABLES, "-A", *rule), check=True)
    yield
    for rule in rules:
        subprocess.run((*_IPTABLES, "-D", *rule), check=True)


CASES = [
    Case("broker gone for 72 hours, 40 sessions recorded meanwhile, device started anew halfway", broker_gone),
    Case(
        "broker killed (-9) after it has handed a summary on, before it acknowledges it", killed_before_it_acknowledges
    ),
    Case("broker acknowledges nothing for ten minutes, though it answers pings", acknowledges_nothing),
    Case(
        "half-open connection: for five minutes nothing goes through, and nobody says so", half_open, World.OWN_NETWORK
    ),
    Case("30 % of the packets lost each way, 40 summaries", packets_lost, World.OWN_NETWORK),
    Case("2 s late each way, 40 summaries", late),
    Case("broker speaks MQTT 3.1.1 alone", old_protocol, World.REAL),
    Case("`port` is that of a web server, for 24 hours", other_server),
]
