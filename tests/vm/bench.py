"""What the tests do with the machine: its Bluetooth, the agent in it, and a strap that the agent is told of."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from edge_agent.demo.strap import VirtualStrap
from edge_agent.demo.virtual_sensor import Security
from tests.vm.figures import Figures
from tests.vm.machine import PATIENCE_S, Machine, MachineError, Program, until
from tests.vm.wearer import Wearer, intervals, worn

_BLUETOOTHD = ("/usr/libexec/bluetooth/bluetoothd", "--nodetach")
_ADAPTER = ("dbus-send", "--system", "--print-reply=literal", "--dest=org.bluez", "/org/bluez/hci0")
_PROPERTIES = "org.freedesktop.DBus.Properties"

HOME = "/home/pi"  # of the user who runs the agent
JOURNAL_S = 15.0  # a second is journalled when it is over; everything more is the emulated machine's

_numbers = itertools.count(1)


class Bench:
    """A machine with a Bluetooth adapter and bluetoothd."""

    def __init__(self, machine: Machine, figures: Figures) -> None:
        self.machine = machine
        self.figures = figures
        self._bluetoothd: Program | None = None

    async def start_bluetoothd(self) -> None:
        """Start the daemon unless it runs, and wait until the adapter is switched on."""
        if self._bluetoothd is None or self._bluetoothd.status is not None:
            self._bluetoothd = self.machine.start(*_BLUETOOTHD, user="root")
        deadline_s = time.monotonic() + PATIENCE_S
        while not await self._powered():
            if time.monotonic() > deadline_s:
                msg = f"the adapter is not switched on after {PATIENCE_S:g} s"
                raise MachineError(msg)
            await asyncio.sleep(0.2)

    async def stop_bluetoothd(self) -> None:
        """Stop the daemon, as `systemctl stop bluetooth` does."""
        if self._bluetoothd is not None:
            self._bluetoothd.signal(signal.SIGTERM)
            await self._bluetoothd.ended()

    async def power(self, *, on: bool) -> None:
        """Switch the adapter, as `bluetoothctl power` does; it is refused while bluetoothd switches it by itself."""
        value = f"variant:boolean:{'true' if on else 'false'}"
        wanted = ("string:org.bluez.Adapter1", "string:Powered", value)
        deadline_s = time.monotonic() + PATIENCE_S
        while await self.machine.start(*_ADAPTER, f"{_PROPERTIES}.Set", *wanted, user="root").ended():
            if time.monotonic() > deadline_s:
                msg = f"the adapter cannot be switched for {PATIENCE_S:g} s"
                raise MachineError(msg)
            await asyncio.sleep(0.2)

    async def deny(self, user: str) -> None:
        """Deny a user Bluetooth; Debian's own policy lets everybody have it."""
        policy = f'<busconfig><policy user="{user}"><deny send_destination="org.bluez"/></policy></busconfig>'
        await self.machine.run("sh", "-c", f"echo '{policy}' > /etc/dbus-1/system.d/{user}.conf")
        bus = ("--dest=org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.ReloadConfig")
        await self.machine.run("dbus-send", "--system", "--print-reply", *bus)

    async def forget(self, strap: VirtualStrap) -> None:
        """Have bluetoothd drop all it knows of a strap, as `bluetoothctl remove` does."""
        device = f"/org/bluez/hci0/dev_{strap.address.replace(':', '_')}"
        await self.machine.run(*_ADAPTER, "org.bluez.Adapter1.RemoveDevice", f"objpath:{device}")

    async def _powered(self) -> bool:
        asked = self.machine.start(
            *_ADAPTER, f"{_PROPERTIES}.Get", "string:org.bluez.Adapter1", "string:Powered", user="root"
        )
        return await asked.ended() == 0 and "true" in asked.out


@dataclass(eq=False)
class Agent:
    """`edge-agent run` in the machine, and the strap it is told of.

    Attributes:
        bench: the machine.
        folder: in the machine, with its configuration and its record.
        wearer: wears the strap.
        program: the last one that was started.
        read: lines of it that a test is done with.
    """

    bench: Bench
    folder: str
    wearer: Wearer
    program: Program | None = None
    read: int = 0

    async def configure(self, sensors: str = "") -> None:
        """Write a configuration into the machine.

        Args:
            sensors: the part of it that lists them.
        """
        config = f'{sensors}[store]\ndirectory = "data"\n'
        script = f"mkdir {self.folder} && cat > {self.folder}/agent.toml <<end\n{config}end"
        await self.bench.machine.run("sh", "-c", script, user="pi")

    def start(self) -> Program:
        """Start `edge-agent run`."""
        self.program = self.command("run")
        return self.program

    def command(self, name: str, *arguments: str, user: str = "pi") -> Program:
        """Start another of its commands with the same configuration."""
        command = ("edge-agent", name, "--config", f"{self.folder}/agent.toml", *arguments)
        return self.bench.machine.start(*command, user=user)

    async def kill(self) -> None:
        """End it at once, as `kill -9` does."""
        if self.program is not None:
            self.program.signal(signal.SIGKILL)
            await self.program.ended()

    async def stop(self) -> int:
        """Ask it to stop; gives its exit status."""
        assert self.program is not None
        self.program.signal(signal.SIGTERM)
        return await self.program.ended()

    async def listens(self, timeout_s: float = PATIENCE_S) -> float:
        """Wait until it has subscribed to the strap; gives the monotonic time of that."""
        await until(lambda: self.wearer.strap.subscribed, "the agent has not subscribed to the strap", timeout_s)
        return time.monotonic()

    async def is_cut_off(self) -> None:
        """Wait until it is subscribed no more."""
        await until(lambda: not self.wearer.strap.subscribed, "the agent is still subscribed to the strap")

    async def journalled(self) -> list[int]:
        """The frames in its journal, by their intervals in 1/1024 s, in order."""
        rows = await self.bench.machine.query(
            f"{self.folder}/data/journal.sqlite3", "SELECT rr_intervals_ms FROM second ORDER BY session_id, t_s"
        )
        return intervals(rows)

    async def missing(self, frames: list[int]) -> list[int]:
        """Those frames that are not in the journal, not even after the seconds that they came in are over."""
        deadline_s = time.monotonic() + JOURNAL_S
        while (missing := sorted(set(frames) - set(await self.journalled()))) and time.monotonic() < deadline_s:
            await asyncio.sleep(0.3)
        return missing


@asynccontextmanager
async def worn_strap(bench: Bench, security: Security | None = None) -> AsyncIterator[Wearer]:
    """A strap in range that nobody in the machine has ever seen, and somebody who wears it."""
    number = next(_numbers)
    strap = VirtualStrap(
        bench.machine.link, name=f"Strap {number}", address=f"F0:48:4C:00:01:{number:02X}", security=security
    )
    await strap.power_on()
    try:
        async with worn(strap) as wearer:
            yield wearer
    finally:
        strap.power_off()


@asynccontextmanager
async def configured_agent(
    bench: Bench, *, listed: bool = True, security: Security | None = None
) -> AsyncIterator[Agent]:
    """An agent, not started, and a worn strap.

    Args:
        bench: where.
        listed: whether its configuration lists the strap; else it has no sensor.
        security: what the strap asks for.
    """
    async with worn_strap(bench, security) as wearer:
        agent = Agent(bench, f"{HOME}/{wearer.strap.name.replace(' ', '-')}", wearer)
        await agent.configure(f'[strap]\naddress = "{wearer.strap.address}"\n' if listed else "")
        try:
            yield agent
        finally:
            await agent.kill()
