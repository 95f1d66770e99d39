"""A door before a broker: connections go through to it, or to a broker that takes a message and says nothing of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_CONNACK = bytes.fromhex("2003000000")  # accepted, no properties (MQTT 5, section 3.2)
_PUBACK_1 = bytes.fromhex("40020001")  # of the first message, the device's status (section 3.4)
_PUBACK = 4  # type of a packet: the upper half of its first byte


class Gate:
    """Where it leads is set at any time, and holds from the next connection on.

    Attributes:
        port: to connect to.
        leads_to: port of the broker behind it; None: to nobody, who takes one message and hangs up.
        delay_s: how long what comes takes, each way.
        withholds: whether acknowledgements of the broker behind it are dropped, from now on.
        entered: connections so far.
        taken: connections that have handed over their message to nobody.
    """

    def __init__(self) -> None:
        self._place = _bound(0)
        self.port = int(self._place.getsockname()[1])
        self.leads_to: int | None = None
        self.delay_s = 0.0
        self.withholds = False
        self.entered = 0
        self.taken = 0
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def empty(self) -> bool:
        """Whether nobody is in it."""
        return not self._connections

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.entered += 1
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await (self._pass(reader, writer, self.leads_to) if self.leads_to else self._swallow(reader, writer))
        self._connections.discard(task)
        writer.close()

    async def open(self) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self.enter, sock=self._place)

    async def shut(self) -> None:
        """End the connections, and listen no more; the port stays taken, so that nobody else gets it."""
        assert self._server is not None
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections)
        await self._server.wait_closed()
        self._place = _bound(self.port)

    async def close(self) -> None:
        """Shut it for good."""
        await self.shut()
        self._place.close()

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
                tasks.create_task(self._copy(_chunks(reader), to_broker))
                tasks.create_task(self._copy(self._let_through(from_broker), writer))
        finally:
            to_broker.close()

    async def _copy(self, source: AsyncIterator[bytes], target: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        on_the_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    due_s, data = await on_the_way.get()
                    await asyncio.sleep(max(due_s - loop.time(), 0.0))
                    if not data:
                        break
                    target.write(data)
                    await target.drain()
            target.close()

        delivery = asyncio.create_task(deliver())
        try:
            async for data in source:
                on_the_way.put_nowait((loop.time() + self.delay_s, data))
            on_the_way.put_nowait((loop.time() + self.delay_s, b""))
            await delivery
        finally:
            delivery.cancel()

    async def _let_through(self, source: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """What the broker says, but for acknowledgements that are withheld."""
        pending = b""
        async for data in _chunks(source):
            if not self.withholds:
                yield pending + data
                pending = b""
                continue
            pending += data
            while (size := _packet_size(pending)) is not None:
                packet, pending = pending[:size], pending[size:]
                if packet[0] >> 4 != _PUBACK:
                    yield packet


async def _chunks(source: asyncio.StreamReader) -> AsyncIterator[bytes]:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            yield data


def _bound(port: int) -> socket.socket:
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", port))
    return place


def _packet_size(data: bytes) -> int | None:
    """Bytes of the first packet (MQTT 5, section 2.1.4); None when it is not complete."""
    length = 0
    for n, byte in enumerate(data[1:5]):
        length |= (byte & 0x7F) << (7 * n)
        if byte < 0x80:
            size = 2 + n + length
            return size if size <= len(data) else None
    return None


@asynccontextmanager
async def gate() -> AsyncIterator[Gate]:
    """A gate that leads nowhere yet."""
    made = Gate()
    await made.open()
    try:
        yield made
    finally:
        await made.close()
