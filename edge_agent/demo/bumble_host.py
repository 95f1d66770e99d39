"""What `edge_agent.sensors.links.host.Host` asks of Bluetooth, on bumble: real SMP pairing, keys in a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bleak.exc import BleakError
from bumble.device import Connection, Device
from bumble.pairing import PairingConfig, PairingDelegate

from edge_agent.errors import LinkError
from edge_agent.sensors.links.host import AskPasskey
from edge_agent.sensors.links.states import AdapterFault


class BumbleHost:
    """A bumble device as the links' host."""

    def __init__(self, device: Device) -> None:
        self._device = device

    async def fault(self) -> AdapterFault | None:
        """A bumble device is there, or its process ends."""
        return None if self._device.powered_on else AdapterFault.POWERED_OFF

    async def version(self) -> str | None:
        """Of no BlueZ."""
        return None

    async def bonded(self) -> set[str]:
        """Identity addresses that there is a key for, upper case."""
        keys = self._device.keystore
        return {name.partition("/")[0].upper() for name, _ in await keys.get_all()} if keys else set()

    async def release(self, addresses: set[str]) -> None:
        """Links of a killed process end with its controller."""

    async def remove(self, address: str) -> None:
        """Forget the bond of a sensor."""
        keys = self._device.keystore
        if keys is None:
            return
        for name, _ in await keys.get_all():
            if name.partition("/")[0].upper() == address.upper():
                await keys.delete(name)
        await self._device.refresh_resolving_list()

    async def power_cycle(self) -> None:
        """Switch off and on, which ends every link."""
        await self._device.power_off()
        await self._device.power_on()

    async def reset(self) -> bool:
        """There is no hardware."""
        return False

    @asynccontextmanager
    async def pairing(self, address: str, ask_passkey: AskPasskey) -> AsyncIterator[None]:
        """Answer the questions of pairing with one sensor while the context lasts."""
        delegate = _Delegate(ask_passkey)

        def config(connection: Connection) -> PairingConfig:
            ours = connection.peer_address.to_string(with_type_qualifier=False) == address
            return PairingConfig(
                sc=True,
                mitm=True,
                bonding=True,
                delegate=delegate if ours else None,
                identity_address_type=PairingConfig.AddressType.RANDOM,
            )

        before = self._device.pairing_config_factory
        self._device.pairing_config_factory = config
        try:
            yield
        except BleakError as error:
            if delegate.refusal is not None:
                raise delegate.refusal from error
            raise
        finally:
            self._device.pairing_config_factory = before


class _Delegate(PairingDelegate):
    """A keyboard and a display, as BlueZ's agent has them."""

    def __init__(self, ask_passkey: AskPasskey) -> None:
        super().__init__(PairingDelegate.IoCapability.DISPLAY_OUTPUT_AND_KEYBOARD_INPUT)
        self._ask_passkey = ask_passkey
        self.refusal: LinkError | None = None

    async def get_number(self) -> int | None:
        try:
            return await self._ask_passkey()
        except LinkError as error:
            self.refusal = error
            return None
