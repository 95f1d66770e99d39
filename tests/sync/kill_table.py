"""A device is killed again and again in each state of its way to a real backend; nothing is lost there, nothing twice.

    python -m tests.sync.kill_table [--kills N]

The device (`killed_device`) records short sessions with their events, sends them to a real mosquitto, and marks laps as
it is told to. `heartline-backend run` keeps what comes. Whoever sends the commands sends each again, with its id, until
there is an answer. In the end, what the backend holds is compared with the device's journal and with those answers:

    lost    sessions of the journal, begins and ends of sessions, or laps that were answered with `done`, not there
    twice   any of these there more than once, or a lap that was not answered with `done`
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import signal
import sqlite3
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.store.database import FILE_NAME
from edge_agent.store.identifiers import uuid7
from edge_agent.store.journal import Journal
from edge_agent.sync.commands import Answer
from tests.agent.test_session import SetClock
from tests.backend.test_end_to_end import backend
from tests.backend.test_worker import KEEPS
from tests.mosquitto import mosquitto, program
from tests.sync.killed_device import STATES

# A state is reached at the latest after so many times of it.
MOST = 12


@dataclass
class Wire:
    """What went over the broker.

    Attributes:
        messages: how often each was published, by (topic, id).
    """

    messages: Counter[tuple[str, str]] = field(default_factory=Counter)

    @contextmanager
    def heard(self, port: int) -> Iterator[None]:
        """Count what is published meanwhile."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2)

        def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
            content = json.loads(message.payload)
            self.messages[message.topic, content.get("event_id") or content["session_id"]] += 1

        client.on_message = on_message
        client.connect("127.0.0.1", port)
        client.subscribe([("heartline/+/session", 1), ("heartline/+/event", 1)])
        client.loop_start()
        try:
            yield
        finally:
            client.disconnect()
            client.loop_stop()

    def again(self, device: str) -> int:
        """Messages of a device that were published more than once, how often more."""
        return sum(count - 1 for (topic, _), count in self.messages.items() if device in topic)


async def laps(port: int, device: str, done: list[uuid.UUID], enough: asyncio.Event) -> None:
    """Have laps marked until it is enough and the last one is answered.

    Args:
        port: of the broker.
        device: UUID.
        done: collects the sessions in which a lap was marked, as the device has said.
        enough: no further command is begun.
    """
    topic, made = f"heartline/{device}/command", SetClock().now()
    while not enough.is_set():
        content = {"schema": 1, "command": "lap", "command_id": str(uuid7(made))}
        answer = b""
        while not answer:
            asking = await asyncio.create_subprocess_exec(
                *(program("mosquitto_rr"), "-p", str(port), "-V", "5", "-q", "1", "-W", "1"),
                *("-t", topic, "-e", f"answers/{content['command_id']}", "-m", json.dumps(content)),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            answer = (await asking.communicate())[0]
        decoded = msgspec.json.decode(answer, type=Answer)
        if decoded.done and decoded.session_id:
            done.append(decoded.session_id)


async def device(store: Path, port: int, *state: str) -> int:
    """Run the device to its end, however that comes; its exit status."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.sync.killed_device", str(store), str(port), *state),
        cwd=Path(__file__).parents[2],
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        return await asyncio.wait_for(running.wait(), 60)
    finally:
        if running.returncode is None:
            running.kill()


async def row(state: str, *, kills: int, folder: Path, port: int, wire: Wire) -> tuple[str, bool]:
    """Kill a device in a state; a line of the table, and whether all is right."""
    store = folder / state.replace(" ", "-").replace(",", "")
    with Journal(store) as journal:
        name = journal.device_id
    chance = random.Random(state)  # noqa: S311 - to be repeated
    done: list[uuid.UUID] = []
    enough = asyncio.Event()
    commanding = asyncio.create_task(laps(port, name, done, enough))
    for _ in range(kills):
        status = await device(store, port, state, str(chance.randint(1, MOST)))
        assert status == -signal.SIGKILL, (state, status)
    # What is under way is sent again, and answered by a device that lives long enough.
    alive = asyncio.create_task(device(store, port, "seconds accepted", "1000000"))
    enough.set()
    await asyncio.wait_for(commanding, 60)
    alive.cancel()
    await asyncio.wait([alive])
    assert await device(store, port) == 0
    expected, found = of_journal(store, done), of_backend(folder / "kept.sqlite3", name)
    async with asyncio.timeout(30):
        while expected - found:
            await asyncio.sleep(0.2)
            found = of_backend(folder / "kept.sqlite3", name)
    lost, twice = expected - found, found - expected
    sessions = sum(key[0] == "session" for key in expected)
    events, again = sum(expected.values()) - sessions, wire.again(name)
    line = f"| {state} | {kills} | {sessions} | {events} | {len(done)} | {again} | {lost.total()} | {twice.total()} |"
    return line, not lost and not twice


def of_journal(store: Path, done: list[uuid.UUID]) -> Counter[tuple[str, str]]:
    """What the backend has to hold, by kind and session."""
    with closing(sqlite3.connect(store / FILE_NAME)) as db:
        sessions = db.execute(
            "SELECT uuid, json_extract(CAST(summary AS TEXT), '$.interrupted') FROM session WHERE summary IS NOT NULL"
        ).fetchall()
    expected = Counter(("lap", str(session)) for session in done)
    for session, interrupted in sessions:
        expected.update([("session", session), ("session_started", session)])
        expected.update([] if interrupted else [("session_ended", session)])
    return expected


def of_backend(kept: Path, name: str) -> Counter[tuple[str, str]]:
    """What it holds of a device."""
    with closing(sqlite3.connect(kept)) as db:
        found = Counter(
            ("session", session)
            for (session,) in db.execute("SELECT session_id FROM session WHERE device = ?", (name,))
        )
        found.update(db.execute("SELECT name, session_id FROM event WHERE device = ?", (name,)).fetchall())
    return found


async def table(kills: int) -> bool:
    """Print the table; whether nothing is lost and nothing there twice."""
    wire, right = Wire(), True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with mosquitto(folder, settings=KEEPS) as port:
            async with backend(folder, port):
                sys.stdout.write(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, mosquitto\n\n")
                sys.stdout.write("| killed in | kills | sessions | events | laps done | sent again | lost | twice |\n")
                sys.stdout.write("|---|--:|--:|--:|--:|--:|--:|--:|\n")
                with wire.heard(port):
                    for state in STATES:
                        line, all_right = await row(state, kills=kills, folder=folder, port=port, wire=wire)
                        right &= all_right
                        sys.stdout.write(f"{line}\n")
                        sys.stdout.flush()
    return right


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Kill a device on its way to the backend.")
    parser.add_argument("--kills", type=int, default=8, help="in each state (default: 8)")
    sys.exit(not asyncio.run(table(parser.parse_args().kills)))
