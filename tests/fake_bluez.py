"""An emulated `org.bluez` on a bus of its own, as far as a central needs it: one adapter, one strap.

With it the agent runs on bleak's BlueZ backend, in a process that holds nothing for tests. It does not show radio,
BlueZ itself or a strap's firmware. Interfaces after BlueZ's own documents (doc/org.bluez.*.rst).
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

ADAPTER = "/org/bluez/hci0"
HEART_RATE_SERVICE = "0000180d-0000-1000-8000-00805f9b34fb"
HEART_RATE_MEASUREMENT = "00002a37-0000-1000-8000-00805f9b34fb"

ADVERTISING_INTERVAL_S = 0.1

_BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
"""

_YES = Variant("b", value=True)
_NO = Variant("b", value=False)

# D-Bus objects as `GetManagedObjects` gives them: path to interface to property to value.
Properties = dict[str, Variant]
Objects = dict[str, dict[str, Properties]]


@contextlib.contextmanager
def private_bus(directory: Path) -> Iterator[str]:
    """A message bus that only this test knows; gives its address, for `DBUS_SYSTEM_BUS_ADDRESS`."""
    socket = directory / "bus"
    config = directory / "bus.conf"
    config.write_text(_BUS_CONFIG.format(socket=socket))
    command = ["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile", "--print-address"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout is not None
            daemon.stdout.readline()  # printed when it listens
            yield f"unix:path={socket}"
        finally:
            daemon.terminate()


class FakeBlueZ:
    """The service on the bus; advertises while a central scans, notifies while one is subscribed."""

    def __init__(self, bus: MessageBus, *, name: str, address: str) -> None:
        self._bus = bus
        self._device = f"{ADAPTER}/dev_{address.replace(':', '_')}"
        self._characteristic = f"{self._device}/service000a/char000b"
        self.subscribed = asyncio.Event()
        self._objects: Objects = {
            ADAPTER: {
                "org.bluez.Adapter1": {
                    "Address": Variant("s", "C0:00:00:00:00:01"),
                    "Powered": _YES,
                    "Discovering": _NO,
                    "Roles": Variant("as", ["central"]),
                }
            }
        }
        self._strap: Properties = {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "random"),
            "Name": Variant("s", name),
            "Alias": Variant("s", name),
            "Adapter": Variant("o", ADAPTER),
            "UUIDs": Variant("as", [HEART_RATE_SERVICE]),
            "RSSI": Variant("n", -50),
            "Paired": _NO,
            "Bonded": _NO,
            "Trusted": _NO,
            "Blocked": _NO,
            "LegacyPairing": _NO,
            "Connected": _NO,
            "ServicesResolved": _NO,
        }
        bus.add_message_handler(self._answer)

    def notify(self, data: bytes) -> None:
        """Send a Heart Rate Measurement."""
        self._set(self._characteristic, "org.bluez.GattCharacteristic1", "Value", Variant("ay", data))

    async def advertise(self) -> None:
        """Advertise as a strap does, again and again, until cancelled."""
        for count in range(1 << 30):
            await asyncio.sleep(ADVERTISING_INTERVAL_S)
            if not self._objects[ADAPTER]["org.bluez.Adapter1"]["Discovering"].value:
                continue
            if self._device in self._objects:
                self._set(self._device, "org.bluez.Device1", "RSSI", Variant("n", -50 - count % 5))
            else:
                self._add(self._device, "org.bluez.Device1", self._strap)

    def _answer(self, call: Message) -> Message | None:
        if call.message_type is not MessageType.METHOD_CALL or call.path is None:
            return None
        interface = call.interface or ""
        match call.member:
            case "GetManagedObjects":
                return Message.new_method_return(call, "a{oa{sa{sv}}}", [self._objects])
            case "StartDiscovery" | "StopDiscovery":
                self._set(ADAPTER, interface, "Discovering", _YES if call.member == "StartDiscovery" else _NO)
            case "Connect":
                self._add_services()
                self._set(self._device, interface, "Connected", _YES)
                self._set(self._device, interface, "ServicesResolved", _YES)
            case "Disconnect":
                self.subscribed.clear()
                self._set(self._device, interface, "ServicesResolved", _NO)
                self._set(self._device, interface, "Connected", _NO)
            case "StartNotify":
                self.subscribed.set()
                self._set(call.path, interface, "Notifying", _YES)
            case "StopNotify":
                self.subscribed.clear()
                self._set(call.path, interface, "Notifying", _NO)
            case "SetDiscoveryFilter" | "RemoveDevice":
                pass
            case _:
                return None  # the bus library says that there is no such method
        return Message.new_method_return(call)

    def _add_services(self) -> None:
        service = self._characteristic.rpartition("/")[0]
        self._add(
            service,
            "org.bluez.GattService1",
            {
                "UUID": Variant("s", HEART_RATE_SERVICE),
                "Primary": _YES,
                "Device": Variant("o", self._device),
                "Includes": Variant("ao", []),
            },
        )
        self._add(
            self._characteristic,
            "org.bluez.GattCharacteristic1",
            {
                "UUID": Variant("s", HEART_RATE_MEASUREMENT),
                "Service": Variant("o", service),
                "Value": Variant("ay", b""),
                "Notifying": _NO,
                "Flags": Variant("as", ["notify"]),
                "MTU": Variant("q", 247),
            },
        )

    def _add(self, path: str, interface: str, properties: Properties) -> None:
        added = self._objects[path] = {interface: properties}
        self._emit("/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}", path, added)

    def _set(self, path: str, interface: str, name: str, value: Variant) -> None:
        self._objects[path][interface][name] = value
        changed = {name: value}
        self._emit(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", interface, changed, [])

    def _emit(self, path: str, interface: str, member: str, signature: str, *body: object) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, list(body)))


@contextlib.asynccontextmanager
async def fake_bluez(bus_address: str, *, name: str, address: str) -> AsyncIterator[FakeBlueZ]:
    """Serve `org.bluez` with one strap on a bus."""
    bus = await MessageBus(bus_type=BusType.SYSTEM, bus_address=bus_address).connect()
    bluez = FakeBlueZ(bus, name=name, address=address)
    await bus.request_name("org.bluez")
    advertising = asyncio.create_task(bluez.advertise(), name="advertise")
    try:
        yield bluez
    finally:
        advertising.cancel()
        bus.disconnect()
