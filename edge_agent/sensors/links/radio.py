"""The adapter, as the links share it: one scan for all, one connection attempt at a time, and its recovery."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError
from dbus_fast.errors import DBusFastError

from edge_agent.sensors.links.host import Host
from edge_agent.sensors.links.recovery import RecoveryLadder, Rung
from edge_agent.sensors.links.states import REMEDIES, AdapterFault

log = logging.getLogger(__name__)

# What bleak and its D-Bus library raise when the world is at fault. EOFError: the bus hung up.
BLUETOOTH_ERRORS = (BleakError, DBusFastError, TimeoutError, OSError, EOFError)

# A scan is begun anew this often: the controller reports a device once per scan, and a scan can die without a word. A
# strap advertises at least every 1.28 s (Heart Rate Profile 1.0, table 5.1), so it is heard many times over.
FILTERED_S = 50.0
# Then everything is listened to for this long: sensors that do not advertise their service are found, and an adapter
# that hears nothing at all is told from a gym where no sensor of ours is worn. A dead scan is so noticed within
# 50 + 10 s and the pauses between them: well below the 90 s after which BlueZ begins to forget what it knows.
OPEN_S = 10.0

# Between two looks at an adapter that cannot be used, for whatever reason.
FAULT_PAUSE_S = 5.0

_ADDRESS = re.compile("([0-9A-Fa-f]{2}[:_]){5}[0-9A-Fa-f]{2}")  # as Bluetooth and as D-Bus paths write it

OnAdvertisement = Callable[[BLEDevice, AdvertisementData], None]


def said(error: BaseException) -> str:
    """An error as the log may have it: the log must not say who was where."""
    return _ADDRESS.sub("(address)", str(error)) or type(error).__name__


def raise_if_cancelled() -> None:
    """Be cancelled where a library has kept it to itself; to be called before a wait that nothing else ends.

    What is cancelled in the moment that it is done goes on in `asyncio.wait_for` of Python 3.11, as if nothing had been
    asked of it (python/cpython issue 86296), and libraries are full of it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class Radio:
    """One adapter."""

    def __init__(self, host: Host, service_uuids: Iterable[str], on_advertisement: OnAdvertisement) -> None:
        self._host = host
        self._service_uuids = sorted(set(service_uuids))
        self._on_advertisement = on_advertisement
        self._adapter = asyncio.Lock()  # who holds it may start a scan, stop one, or connect
        self._ladder = RecoveryLadder()
        self._scanner: BleakScanner | None = None
        self._heard = False
        self._wanted = asyncio.Event()
        self._wake = asyncio.Event()
        self.fault: AdapterFault | None = None
        self.links_up: Callable[[], bool] = lambda: False
        self.remove_stale: Callable[[], Awaitable[None]] | None = None

    def want(self, *, scan: bool) -> None:
        """Say whether anybody is looked for; without, the radio's time belongs to the links."""
        if scan != self._wanted.is_set():
            (self._wanted.set if scan else self._wanted.clear)()
            self._wake.set()

    async def run(self) -> None:
        """Scan whenever somebody is looked for, until cancelled."""
        open_to_all = False
        try:
            while True:
                raise_if_cancelled()
                await self._wanted.wait()
                self._wake.clear()
                try:
                    async with self._adapter:
                        await self._start(None if open_to_all else self._service_uuids)
                except BLUETOOTH_ERRORS as error:
                    await self._trouble(error)
                    await asyncio.sleep(FAULT_PAUSE_S)
                    continue
                interrupted = await self._listen(OPEN_S if open_to_all else FILTERED_S)
                async with self._adapter:
                    await self._stop()
                if interrupted:
                    continue
                deaf = open_to_all and not self._heard
                if deaf:
                    await self._trouble(None)
                open_to_all = deaf or not open_to_all
        finally:
            await self._stop()

    @asynccontextmanager
    async def attempt(self) -> AsyncIterator[None]:
        """Have the adapter for one connection attempt; a scan is paused for it, many controllers cannot do both."""
        async with self._adapter:
            await self._stop()
            yield
        self._wake.set()

    def listen_anew(self) -> None:
        """Begin the scan anew: a controller reports a sensor once per scan, and it may be there still."""
        self._wake.set()

    async def busy(self) -> None:
        """A connection attempt found the adapter busy."""
        await self._trouble(None)

    async def _listen(self, duration_s: float) -> bool:
        """Until the time is over; whether before that nobody was looked for any more, or an attempt paused the scan."""
        raise_if_cancelled()
        try:
            async with asyncio.timeout(duration_s):
                return await self._wake.wait()
        except TimeoutError:
            return False

    async def _start(self, service_uuids: list[str] | None) -> None:
        self._heard = False
        scanner = BleakScanner(self._hear, service_uuids)
        await scanner.start()
        self._scanner = scanner
        if self.fault is not None:
            log.info("adapter: works again")
            self.fault = None

    async def _stop(self) -> None:
        scanner, self._scanner = self._scanner, None
        if scanner is not None:
            try:
                await scanner.stop()
            except BLUETOOTH_ERRORS as error:
                log.debug("adapter: the scan could not be stopped (%s)", said(error))

    def _hear(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        if not self._heard:
            self._heard = True
            self._ladder.healthy()
        self._on_advertisement(device, advertisement)

    async def _trouble(self, error: BaseException | None) -> None:
        """Find out what it is; where it is not a known fault, climb the ladder."""
        fault = await self._host.fault()
        if fault is None:
            rung = self._ladder.trouble(asyncio.get_running_loop().time(), links_up=self.links_up())
            if rung is None:
                return
            why = "it hears nothing" if error is None else said(error)
            if rung is Rung.TELL_USER:
                fault = AdapterFault.STUCK
            else:
                log.warning("adapter: %s; next: %s", why, rung.name.lower().replace("_", " "))
                await self._climb(rung)
        if fault is not None and fault is not self.fault:
            self.fault = fault
            log.error("adapter: %s", REMEDIES[fault])

    async def _climb(self, rung: Rung) -> None:
        async with self._adapter:
            await self._stop()
            if rung is Rung.REMOVE_STALE and self.remove_stale is not None:
                await self.remove_stale()
            elif rung is Rung.POWER_CYCLE:
                await self._host.power_cycle()
            elif rung is Rung.RESET and not await self._host.reset():
                log.info("adapter: its hardware cannot be reset from here")
