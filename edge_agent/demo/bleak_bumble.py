"""A bleak backend on bumble: code written for bleak runs on a bumble device, unmodified.

bleak chooses its backend by platform and constructs it with arguments of its own, so the device has
to be known beforehand: `install` binds one to bleak for the length of a context.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import bleak
from bumble.device import Device

from edge_agent.demo.bumble_adapter import Adapter
from edge_agent.demo.bumble_client import BumbleClient
from edge_agent.demo.bumble_scanner import BumbleScanner


@contextmanager
def install(device: Device) -> Iterator[None]:
    """Let every `BleakScanner()` and `BleakClient()` use `device` while the context lasts.

    Args:
        device: a bumble device that is powered on.
    """
    adapter = Adapter(device)
    with (
        _replaced("get_platform_scanner_backend_type", lambda: (partial(BumbleScanner, adapter), "bumble")),
        _replaced("get_platform_client_backend_type", lambda: (partial(BumbleClient, adapter), "bumble")),
    ):
        yield


@contextmanager
def _replaced(name: str, value: object) -> Iterator[None]:
    original = getattr(bleak, name)
    setattr(bleak, name, value)
    try:
        yield
    finally:
        setattr(bleak, name, original)
