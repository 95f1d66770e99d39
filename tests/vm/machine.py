"""A QEMU machine that the tests talk to: kernel, bluetoothd and agent are as shipped, the Bluetooth controller is ours.

The controller and the straps are bumble's and live in this process, so that a test breaks a link and reads a clock
without going through the machine. HCI travels over a virtual serial port to `/dev/vhci` in the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import msgspec
from bumble import hci
from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink
from bumble.transport.common import StreamPacketSink, StreamPacketSource

from edge_agent.demo.radio import VirtualController
from tests.vm.image import Image

# `kvm` where the machine may use it: several times as fast. Emulation works everywhere.
ACCELERATOR = os.environ.get("HEARTLINE_VM_ACCELERATOR", "tcg,tb-size=256")
MEMORY_MB = 1024

# Emulated, on a machine that has other work, a boot takes 10 to 40 s and a Python program 2 to 20 s to start.
BOOT_S = 150.0
PATIENCE_S = 90.0


class MachineError(AssertionError):
    """The machine did not do what a test needs; the message has the end of what it said."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that a program in the machine wrote.

    Attributes:
        at_s: this process's monotonic time when it came.
        stream: `out` or `err`.
        text: without its end.
    """

    at_s: float
    stream: str
    text: str


@dataclass(eq=False)
class Program:
    """A program that runs in the machine."""

    machine: Machine
    number: int
    command: tuple[str, ...]
    lines: list[Line] = field(default_factory=list)
    status: int | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def out(self) -> str:
        """What it wrote to its standard output so far."""
        return "".join(f"{line.text}\n" for line in self.lines if line.stream == "out")

    @property
    def said(self) -> str:
        """All that it wrote so far."""
        return "".join(f"{line.text}\n" for line in self.lines)

    async def ended(self, *, timeout_s: float = PATIENCE_S) -> int:
        """Its exit status, negative for the signal that ended it."""
        await self._until(lambda: self.status is not None, "has not ended", timeout_s)
        assert self.status is not None
        return self.status

    async def says(self, text: str, *, after: int = 0, timeout_s: float = PATIENCE_S) -> Line:
        """The first line with a text in it, among those after the first `after`."""

        def found() -> list[Line]:
            return [line for line in self.lines[after:] if text in line.text]

        await self._until(lambda: found() or self.status is not None, f"has not said {text!r}", timeout_s)
        if not found():
            self.machine.fail(f"{self} ended without saying {text!r}")
        return found()[0]

    def send(self, text: str) -> None:
        """Write to its standard input."""
        self.machine.request(self.number, send=text)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.machine.request(self.number, signal=number)

    async def _until(self, condition: Callable[[], object], what: str, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    await self.news.wait()
                    self.news.clear()
        except TimeoutError:
            self.machine.fail(f"{self} {what} within {timeout_s:g} s")

    def __str__(self) -> str:
        return " ".join(self.command)


class Machine:
    """A running machine."""

    def __init__(self, link: LocalLink, console: Path) -> None:
        self.link = link
        self.console = console
        self.programs: dict[int, Program] = {}
        self._numbers = itertools.count(1)
        self._control: asyncio.StreamWriter | None = None
        self._ready = asyncio.Event()
        self._answers: dict[int, asyncio.Future[list[list[Any]]]] = {}

    def start(self, *command: str, user: str = "pi") -> Program:
        """Start a program in the machine."""
        number = next(self._numbers)
        program = self.programs[number] = Program(self, number, command)
        self.request(number, start=command, user=user)
        return program

    async def run(self, *command: str, user: str = "root", stdin: str = "") -> str:
        """Run a program to its end; gives what it wrote to its standard output.

        Raises:
            MachineError: it failed.
        """
        program = self.start(*command, user=user)
        if stdin:
            program.send(stdin)
        status = await program.ended()
        if status:
            self.fail(f"{program} failed with status {status}")
        return program.out

    async def query(self, database: str, query: str) -> list[list[Any]]:
        """The rows that an SQLite database in the machine answers with.

        Raises:
            MachineError: it cannot be read.
        """
        return await self._ask(database=database, query=query)

    async def plug(self, *, there: bool) -> None:
        """Plug the Bluetooth adapter in, or pull it out."""
        await self._ask(adapter=there)

    async def _ask(self, **request: object) -> list[list[Any]]:
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self.request(number, **request)
        return await asyncio.wait_for(answer, PATIENCE_S)

    def request(self, number: int, **request: object) -> None:
        """Send a request to the machine's driver."""
        assert self._control is not None
        self._control.write(msgspec.json.encode({"id": number, **request}) + b"\n")

    async def ready(self, qemu: asyncio.subprocess.Process) -> None:
        """Wait until the machine answers.

        Raises:
            MachineError: it does not.
        """
        ended = asyncio.create_task(qemu.wait())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ended, ready}, timeout=BOOT_S, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, ready):
            task.cancel()
        if not self._ready.is_set():
            self.fail(f"the machine is not up after {BOOT_S:g} s (QEMU: {qemu.returncode})")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take what the machine's driver says."""
        self._control = writer
        while line := await reader.readline():
            message = msgspec.json.decode(line)
            if "ready" in message:
                self._ready.set()
            elif answer := self._answers.pop(message["id"], None):
                if "error" in message:
                    answer.set_exception(MachineError(message["error"]))
                else:
                    answer.set_result(message["rows"])
            else:
                program = self.programs[message["id"]]
                if "line" in message:
                    program.lines.append(Line(time.monotonic(), message["stream"], message["line"]))
                else:
                    program.status = message["status"]
                program.news.set()

    def fail(self, what: str) -> NoReturn:
        """Say what went wrong; a failed test shows all that may tell why beside it.

        Raises:
            MachineError: always.
        """
        raise MachineError(what)


class _Link(LocalLink):
    """A link on which a controller may change its random address while it is connected, as BlueZ has it for each scan.

    bumble's own sends data from the address of that moment, and the other end knows no such connection.
    """

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: PhysicalTransport, data: bytes
    ) -> None:
        """Carry data to the other end of a connection."""
        sender = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if sender is not None and receiver is not None:
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, sender.self_address, transport, data)


class _Adapter(StreamPacketSource):
    """The machine's Bluetooth controller."""

    def __init__(self, link: LocalLink) -> None:
        super().__init__()
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        # Without a public address: bumble sends with the random one, whatever BlueZ connects with.
        controller = VirtualController(
            "machine", host_source=self, host_sink=StreamPacketSink(transport), link=self._link
        )
        # With either of them the kernel waits for an Enhanced Connection Complete, and bumble sends the plain one.
        controller.le_features &= ~(hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING)


@asynccontextmanager
async def machine(image: Image, initramfs: Path, directory: Path) -> AsyncIterator[Machine]:
    """Boot a machine, with its system bus but without an adapter and bluetoothd, for as long as the context lasts.

    Args:
        image: its kernel.
        initramfs: everything else.
        directory: an empty one, for its sockets and its console.
    """
    link = _Link()  # type: ignore[no-untyped-call] # bumble leaves it untyped
    booted = Machine(link, directory / "console.log")
    control = await asyncio.start_unix_server(booted.serve, directory / "control", limit=1 << 20)
    adapter = await asyncio.get_running_loop().create_unix_server(lambda: _Adapter(link), directory / "hci")
    ports = [
        argument
        for name in ("control", "hci")
        for argument in (
            *("-chardev", f"socket,id={name},path={directory / name}"),
            *("-device", f"virtserialport,chardev={name},name={name}"),
        )
    ]
    with booted.console.open("wb") as console:
        qemu = await asyncio.create_subprocess_exec(
            *("qemu-system-x86_64", "-M", "q35", "-accel", ACCELERATOR, "-cpu", "max", "-m", f"{MEMORY_MB}"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"),
            *("-kernel", str(image.kernel), "-initrd", str(initramfs)),
            *("-append", "console=ttyS0 quiet loglevel=4 mitigations=off random.trust_cpu=on panic=-1 rdinit=/init"),
            *("-device", "virtio-serial-pci", *ports),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
    try:
        await booted.ready(qemu)
        yield booted
    finally:
        with contextlib.suppress(ProcessLookupError):
            qemu.kill()
        await qemu.wait()
        for server in (control, adapter):
            server.close()
            await server.wait_closed()


async def until(condition: Callable[[], object], failure: str, timeout_s: float = PATIENCE_S) -> None:
    """Wait for something on this side.

    Raises:
        MachineError: it does not happen.
    """
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            msg = f"{failure} after {timeout_s:g} s"
            raise MachineError(msg)
        await asyncio.sleep(0.01)
