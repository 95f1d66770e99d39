"""A door before a broker: connections go through to it, or to a broker that takes a message and says nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CONNACK = bytes.fromhex("2003000000")  # accepted, no properties (MQTT 5, section 3.2)
_PUBACK_1 = bytes.fromhex("40020001")  # of the first message, the device's status (section 3.4)


class Gate:
    """Where it leads is set at any time, and holds from the next connection on.

    Attributes:
        port: to connect to.
        leads_to: port of the broker behind it; None: to nobody, who takes one message and hangs up.
        taken: connections of the latter kind that have handed over their message.
    """

    def __init__(self) -> None:
        self.port = 0
        self.leads_to: int | None = None
        self.taken = 0
        self._connections: set[asyncio.Task[None]] = set()

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await (self._pass(reader, writer, self.leads_to) if self.leads_to else self._swallow(reader, writer))
        self._connections.discard(task)
        writer.close()

    async def close(self) -> None:
        """End the connections."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections)

    async def _swallow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)  # CONNECT
        writer.write(_CONNACK)
        await reader.read(65536)
        writer.write(_PUBACK_1)
        if await reader.read(65536):
            self.taken += 1

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        from_broker, to_broker = await asyncio.open_connection("127.0.0.1", port)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_copy(reader, to_broker))
                tasks.create_task(_copy(from_broker, writer))
        finally:
            to_broker.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    target.close()


@asynccontextmanager
async def gate() -> AsyncIterator[Gate]:
    """A gate that leads nowhere yet."""
    made = Gate()
    server = await asyncio.start_server(made.enter, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await made.close()
        await server.wait_closed()
