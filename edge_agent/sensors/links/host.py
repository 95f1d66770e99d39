"""What the links need of Bluetooth's host beside bleak: its faults, its bonds, its power."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bleak.backends.device import BLEDevice

from edge_agent.sensors.links.states import AdapterFault

# Asks for the six digits that a sensor shows or has printed on it; raises `LinkError` when there are none.
AskPasskey = Callable[[], Awaitable[int]]


class Host(Protocol):
    """Bluetooth below bleak. None of these raises for a host that is not there; `fault` says that it is not."""

    async def fault(self) -> AdapterFault | None:
        """Why Bluetooth cannot be used; None when it can."""

    async def version(self) -> str | None:
        """Of what answers bleak's calls; None when not known."""

    async def bonded(self) -> set[str]:
        """Identity addresses that there is a key for, upper case."""

    async def release(self, addresses: set[str]) -> None:
        """Disconnect these sensors, where an agent that was killed left them connected: they would not advertise."""

    async def remove(self, address: str) -> None:
        """Forget what is remembered of a sensor, its bond included."""

    async def power_cycle(self) -> None:
        """Switch the adapter off and on."""

    async def reset(self) -> bool:
        """Reset the adapter's hardware; whether there was a way to."""

    def pairing(self, address: str, ask_passkey: AskPasskey) -> AbstractAsyncContextManager[None]:
        """Answer the questions of pairing with the sensor that shows this address, while the context lasts."""


def changes_address(device: BLEDevice) -> bool:
    """Whether the address a sensor shows is a resolvable one, which it changes every few minutes.

    Core Specification 5.4, Vol 6, Part B, 1.3.2.2: a random address whose two most significant bits are 01. Once there
    is a bond, the host shows the identity behind it.
    """
    properties = device.details.get("props", {}) if isinstance(device.details, dict) else {}
    return properties.get("AddressType") == "random" and int(device.address[:2], 16) >> 6 == 0b01
