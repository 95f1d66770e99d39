"""In the machine: runs what the host asks for, and carries HCI between the kernel and the host's controller.

Standard library alone, so that it is up at once. The host speaks JSON, one object per line, on the port `control`; each
request has an `id`, and what comes of it carries the same:

    {"id": 1, "start": ["edge-agent", "scan"], "user": "pi"}   lines: {"id": 1, "line": ..., "stream": "out" or "err"}
                                                               at its end: {"id": 1, "status": 0}
    {"id": 1, "send": "text for its standard input"}
    {"id": 1, "signal": 9}
    {"id": 2, "database": "/home/...", "query": "SELECT ..."}  {"id": 2, "rows": [...]} or {"id": 2, "error": ...}
    {"id": 3, "adapter": true}  plugged in; false: pulled out  {"id": 3, "rows": []}
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
from pathlib import Path

GROUPS = {"root": [], "pi": ["bluetooth"], "guest": []}  # by user
ENVIRONMENT = {
    "PATH": "/opt/heartline/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONPATH": "/opt/heartline:/opt/site",
    "PYTHONUNBUFFERED": "1",
}

# Bluetooth Core Specification 5.4, Vol 4, Part A, 2: kinds of packets; Vol 4, Part E, 5.4: the length of a header and
# where in it the length of what follows stands, as a slice.
_LENGTHS = {2: (4, slice(2, 4)), 3: (3, slice(2, 3)), 4: (2, slice(1, 2)), 5: (4, slice(2, 4))}
_VENDOR = 0xFF  # of the kernel's virtual controller: the first packet asks for a device, its answer names it
_LARGEST = 4096


class Driver:
    """What the host has started, and the way back to it."""

    def __init__(self, control: Port, hci: Port) -> None:
        self._control = control
        self._hci = hci
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._adapter: int | None = None

    async def serve(self) -> None:
        """Do as the host says until it hangs up."""
        relay = asyncio.create_task(self._relay())
        self._say(ready=True)
        while line := await self._control.reader.readline():
            request = json.loads(line)
            if "start" in request:
                task = asyncio.create_task(self._run(request["id"], request["start"], request.get("user", "root")))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            elif "query" in request:
                self._query(request["id"], request["database"], request["query"])
            elif "adapter" in request:
                self._plug(there=request["adapter"])
                self._say(id=request["id"], rows=[])
            elif process := self._running.get(request["id"]):
                await self._tell(process, request)
        relay.cancel()

    async def _run(self, number: int, command: list[str], user: str) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                cwd="/",
                env=ENVIRONMENT | {"HOME": "/root" if user == "root" else f"/home/{user}"},
                user=user,
                group=user,
                extra_groups=GROUPS[user],
            )
        except OSError as error:
            self._say(id=number, line=f"{command[0]}: {error.strerror}", stream="err")
            self._say(id=number, status=127)
            return
        self._running[number] = process
        await asyncio.gather(
            self._pass_on(number, "out", process.stdout), self._pass_on(number, "err", process.stderr), process.wait()
        )
        del self._running[number]
        self._say(id=number, status=process.returncode)

    async def _pass_on(self, number: int, stream: str, reader: asyncio.StreamReader | None) -> None:
        while reader and (line := await reader.readline()):
            self._say(id=number, line=line.decode(errors="replace").rstrip("\n"), stream=stream)

    async def _tell(self, process: asyncio.subprocess.Process, request: dict[str, object]) -> None:
        with contextlib.suppress(ProcessLookupError, BrokenPipeError, ConnectionResetError):  # it has just ended
            if "signal" in request:
                process.send_signal(int(str(request["signal"])))
            elif process.stdin:
                process.stdin.write(str(request["send"]).encode())
                await process.stdin.drain()

    def _query(self, number: int, database: str, query: str) -> None:
        try:
            with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
                self._say(id=number, rows=db.execute(query).fetchall())
        except sqlite3.Error as error:
            self._say(id=number, error=str(error))

    def _plug(self, *, there: bool) -> None:
        """A controller appears while `/dev/vhci` is open, and is gone when it is closed."""
        loop = asyncio.get_running_loop()
        if self._adapter is not None:
            loop.remove_reader(self._adapter)
            os.close(self._adapter)
            self._adapter = None
        if there:
            self._adapter = os.open("/dev/vhci", os.O_RDWR | os.O_NONBLOCK)
            loop.add_reader(self._adapter, self._from_kernel, self._adapter)
            os.write(self._adapter, bytes([_VENDOR, 0]))

    def _from_kernel(self, adapter: int) -> None:
        packet = os.read(adapter, _LARGEST)
        if packet and packet[0] != _VENDOR:
            self._hci.writer.write(packet)

    async def _relay(self) -> None:
        """Packets of the host's controller, whole, to the kernel."""
        while kind := await self._hci.reader.readexactly(1):
            length, field = _LENGTHS[kind[0]]
            header = await self._hci.reader.readexactly(length)
            body = await self._hci.reader.readexactly(int.from_bytes(header[field], "little"))
            if self._adapter is not None:
                os.write(self._adapter, kind + header + body)

    def _say(self, **message: object) -> None:
        self._control.writer.write(json.dumps(message).encode() + b"\n")


class Port:
    """A virtual serial port to the host."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.WriteTransport) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, name: str) -> Port:
        """The port that the host gave a name."""
        # Opened once, for a port has one user; each transport needs a descriptor of its own to close.
        port = os.open(_device(name), os.O_RDWR | os.O_NONBLOCK)
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(port, "rb", 0))
        writer, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(os.dup(port), "wb", 0))
        return cls(reader, writer)


def _device(port: str) -> Path:
    """The file of a port."""
    (device,) = (
        directory.name
        for directory in Path("/sys/class/virtio-ports").iterdir()
        if (directory / "name").read_text().strip() == port
    )
    return Path("/dev", device)


async def main() -> None:
    """Serve the host until it hangs up."""
    await Driver(await Port.open("control"), await Port.open("hci")).serve()


if __name__ == "__main__":
    asyncio.run(main())
