"""A device that records, sends and obeys, and dies in a state.

    python -m tests.sync.killed_device STORE PORT [STATE N]

Its seconds take a few milliseconds. With a state it dies by SIGKILL when it is in it for the N-th time; without one it
records nothing, sends what waits and ends.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import paho.mqtt.client as mqtt

from edge_agent.agent.commands import Commander
from edge_agent.config import CommandName, MqttConfig
from edge_agent.store.journal import Journal
from edge_agent.sync.connection import Connection
from edge_agent.sync.inbox import Inbox
from edge_agent.sync.outbox import OutboxSync
from edge_agent.sync.topics import Topics
from tests.agent.command_bench import bench
from tests.agent.test_session import SetClock

SECOND_S = 0.004
SESSION_S = 15

# Where a state is: a method, and whether it is before the method is called or after. What paho has been given to send
# needs a moment to be sent.
STATES: dict[str, tuple[type, str, str]] = {
    "seconds accepted": (Journal, "accept", "after"),
    "session closed, summary queued": (Journal, "close_session", "after"),
    "message published, not acknowledged": (mqtt.Client, "publish", "after"),
    "message acknowledged, still queued": (Journal, "acknowledge", "before"),
    "acknowledged message deleted": (Journal, "acknowledge", "after"),
    "command received": (Commander, "obey", "before"),
    "command obeyed and kept, not answered": (Commander, "obey", "after"),
    "command answered, not acknowledged": (mqtt.Client, "ack", "before"),
}


class UnsetClock(SetClock):
    """Of a device that does not know the time, and so cannot tell the age of a command."""

    def time_trusted(self) -> bool:
        return False


def die_in(state: str, number: int) -> None:
    """Have this process killed in a state, the `number`-th time."""
    owner, name, when = STATES[state]
    method: Callable[..., Any] = getattr(owner, name)
    left = [number]

    def watched(self: object, *args: object, **options: object) -> object:
        if name == "publish" and not str(args[0]).endswith(("/session", "/event")):
            return method(self, *args, **options)
        left[0] -= 1
        if when == "before" and not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        done = method(self, *args, **options)
        if when == "after" and left[0] <= 0:  # the call that it was to be after may have been refused
            if owner is mqtt.Client:
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(owner, name, watched)


async def run(store: Path, port: int, *, record: bool) -> None:
    """Record until killed, or send what waits."""
    with bench(store, clock=UnsetClock()) as rig:
        topics = Topics("heartline", rig.journal.device_id)
        connection = Connection(MqttConfig("127.0.0.1", port), topics, Random(1))  # noqa: S311
        outbox = OutboxSync(rig.journal, connection, topics, rig.disclosure, rig.clock)
        commander = Commander(rig.journal, rig.recorder, rig.disclosure, rig.clock, sync_now=outbox.send_now)
        switched_on = frozenset(CommandName)
        inbox = Inbox(rig.journal, connection, topics, rig.clock, switched_on=switched_on, obey=commander.obey)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(work()) for work in (connection.run, outbox.run, inbox.run)]
            while record:
                for _ in range(SESSION_S):
                    rig.beat(1)
                    await asyncio.sleep(SECOND_S)
                rig.recorder.close()
            await connection.connected()
            await asyncio.sleep(0.5)  # commands come, if any wait
            await outbox.drained()
            for task in running:
                task.cancel()


if __name__ == "__main__":
    if sys.argv[3:]:
        die_in(sys.argv[3], int(sys.argv[4]))
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), record=bool(sys.argv[3:])))
