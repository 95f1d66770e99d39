"""What bleak's scanner and clients on one bumble device share."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from bleak.exc import BleakError
from bleak.uuids import normalize_uuid_str
from bumble import core, hci
from bumble.device import Connection, Device


class Adapter:
    """A bumble device, shared by the scanners and clients of one `install`."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._scanners = 0
        self._connecting = asyncio.Lock()  # a controller makes one connection at a time

    def identity(self, address: hci.Address) -> hci.Address:
        """Whose address this is: the identity behind a resolvable one that there is a key for, else itself."""
        resolver = self.device.address_resolver
        known = resolver.resolve(address) if resolver and address.is_resolvable else None
        return known or address

    async def is_bonded(self, address: hci.Address) -> bool:
        """Whether there is a key for this identity."""
        keys = self.device.keystore
        return keys is not None and await keys.get(str(address)) is not None

    async def start_scanning(self, *, active: bool) -> None:
        """Scan for one scanner more.

        Raises:
            BleakError: the controller refused, or went away.
        """
        self._scanners += 1
        if not self.device.is_scanning:
            try:
                await self.device.start_scanning(active=active)
            except core.BaseBumbleError as error:
                self._scanners -= 1
                msg = f"cannot scan: {error}"
                raise BleakError(msg) from error

    async def stop_scanning(self) -> None:
        """Scan for one scanner less."""
        self._scanners -= 1
        if not self._scanners and self.device.is_scanning:
            with suppress(core.BaseBumbleError):  # a controller that went away scans no more
                await self.device.stop_scanning()

    async def connect(self, address: hci.Address, *, timeout_s: float) -> Connection:
        """Connect, and leave nothing behind in the controller when it fails or is cancelled.

        Raises:
            TimeoutError: nobody answered in time.
            BleakError: the controller refused, or went away.
        """
        async with self._connecting:
            attempt = asyncio.create_task(self.device.connect(address, timeout=timeout_s))
            try:
                # Shielded: bumble, when cancelled itself, leaves the attempt pending in the controller.
                return await asyncio.shield(attempt)
            except core.TimeoutError as error:
                msg = f"no connection to {address} within {timeout_s:g} s"
                raise TimeoutError(msg) from error
            except core.BaseBumbleError as error:
                raise BleakError(str(error)) from error
            except asyncio.CancelledError as error:
                if not cancelled_from_outside():
                    msg = f"connecting to {address} was cut short: the adapter went away"
                    raise BleakError(msg) from error
                await self._abandon(attempt)
                raise

    async def _abandon(self, attempt: asyncio.Task[Connection]) -> None:
        with suppress(core.BaseBumbleError, asyncio.CancelledError):
            await self.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
            connection = await attempt
            await connection.disconnect()


def cancelled_from_outside() -> bool:
    """Whether the running task is being cancelled, rather than a bumble future that it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def uuid_str(uuid: core.UUID) -> str:
    """A UUID as bleak writes it: 128 bits, lower case."""
    text: str = uuid.to_hex_str("-")
    return normalize_uuid_str(text)
