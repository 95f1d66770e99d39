"""An emulated `org.bluez` on a bus of its own, as far as a central needs it: one adapter, one strap, and its faults.

With it the agent runs on bleak's BlueZ backend, in a process that holds nothing for tests. It does not show radio,
BlueZ itself or a strap's firmware. Interfaces after BlueZ's own documents (doc/org.bluez.*.rst).
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from dbus_fast import BusType, Message, MessageType, NameFlag, Variant
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
        self.address = address
        self.deaf = False
        """Scans and hears nobody, until the adapter is switched off and on."""
        self.reports_once = False
        """The controller leaves duplicates out: it reports the strap once per scan."""
        self._reported = False
        self.breaks = False
        """Every link breaks as soon as it is up, as where the strap has lost the key of its bond."""
        self.refuses: dict[str, tuple[str, str]] = {}
        """Calls that fail, by name: the error and what it says."""
        self.ignores: set[str] = set()
        """Calls that are never answered, by name."""
        self.calls: list[str] = []
        self.passkey: int | None = None
        """What the strap wants to hear when it is paired; None for Just Works."""
        self._agent: tuple[str, str] | None = None
        self._background: set[asyncio.Task[None]] = set()
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
            if not self._scanning or self.deaf or self.connected or (self.reports_once and self._reported):
                continue
            self._reported = True
            if self._device in self._objects:
                self._set(self._device, "org.bluez.Device1", "RSSI", Variant("n", -50 - count % 5))
            else:
                self._add(self._device, "org.bluez.Device1", self._strap)

    @property
    def _scanning(self) -> bool:
        adapter = self._objects.get(ADAPTER, {}).get("org.bluez.Adapter1")
        return adapter is not None and bool(adapter["Discovering"].value)

    @property
    def connected(self) -> bool:
        """Whether the strap has a link."""
        return bool(self._strap["Connected"].value)

    def connect_to_nobody(self) -> None:
        """Hold a link that nobody asked for, as after an agent was killed."""
        self._objects[self._device] = {"org.bluez.Device1": self._strap}
        self._strap["Connected"] = _YES

    def bond(self) -> None:
        """Hold a key of the strap's, whatever the strap holds."""
        self._objects[self._device] = {"org.bluez.Device1": self._strap}
        self._strap["Paired"] = self._strap["Bonded"] = _YES

    def lose_link(self) -> None:
        """The strap is out of range."""
        self.subscribed.clear()
        self._set(self._device, "org.bluez.Device1", "ServicesResolved", _NO)
        self._set(self._device, "org.bluez.Device1", "Connected", _NO)

    def switch(self, *, powered: bool) -> None:
        """Switch the adapter off or on; off ends its scan and its links."""
        if self.connected and not powered:
            self.lose_link()
        self._set(ADAPTER, "org.bluez.Adapter1", "Discovering", _NO)
        self._set(ADAPTER, "org.bluez.Adapter1", "Powered", _YES if powered else _NO)

    def unplug(self) -> None:
        """Take the adapter away."""
        del self._objects[ADAPTER]
        self._emit(
            "/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas", ADAPTER, ["org.bluez.Adapter1"]
        )

    def _answer(self, call: Message) -> Message | bool | None:
        if call.message_type is not MessageType.METHOD_CALL or call.path is None or call.member is None:
            return None
        self.calls.append(call.member)
        breaks = self.breaks and call.member == "Connect"
        if refused := self._break() if breaks else self.refuses.get(call.member):
            return Message.new_error(call, *refused)
        if call.member == "GetManagedObjects":
            return Message.new_method_return(call, "a{oa{sa{sv}}}", [self._objects])
        if call.member in {"Pair", *self.ignores}:
            if call.member not in self.ignores:
                task = asyncio.create_task(self._pair(call))
                self._background.add(task)
                task.add_done_callback(self._background.discard)
            return True  # the answer follows, or never does
        obey = {
            "StartDiscovery": self._discover,
            "StopDiscovery": self._discover,
            "Connect": self._connect,
            "Disconnect": lambda _: self.lose_link(),
            "StartNotify": self._notify,
            "StopNotify": self._notify,
            "Set": self._set_property,
            "RegisterAgent": self._register_agent,
            "RemoveDevice": self._remove_device,
            "SetDiscoveryFilter": id,
            "RequestDefaultAgent": id,
            "UnregisterAgent": id,
        }.get(call.member)
        if obey is None:
            return None  # the bus library says that there is no such method
        obey(call)
        return Message.new_method_return(call)

    def _discover(self, call: Message) -> None:
        self._reported = False
        self._set(ADAPTER, "org.bluez.Adapter1", "Discovering", _YES if call.member == "StartDiscovery" else _NO)

    def _break(self) -> tuple[str, str]:
        for connected in (_YES, _NO):
            self._set(self._device, "org.bluez.Device1", "Connected", connected)
        return "org.bluez.Error.Failed", "le-connection-abort-by-local"

    def _connect(self, _: Message) -> None:
        self._add_services()
        self._set(self._device, "org.bluez.Device1", "Connected", _YES)
        self._set(self._device, "org.bluez.Device1", "ServicesResolved", _YES)

    def _notify(self, call: Message) -> None:
        begins = call.member == "StartNotify"
        (self.subscribed.set if begins else self.subscribed.clear)()
        self._set(str(call.path), "org.bluez.GattCharacteristic1", "Notifying", _YES if begins else _NO)

    def _register_agent(self, call: Message) -> None:
        self._agent = (call.sender or "", str(call.body[0]))

    def _remove_device(self, call: Message) -> None:
        if self._objects.pop(call.body[0], None):
            self._strap["Paired"] = self._strap["Bonded"] = _NO

    def _set_property(self, call: Message) -> None:
        interface, name, value = call.body
        if name == "Powered":
            self.deaf = False
            self.refuses.pop("StartDiscovery", None)
            self.switch(powered=bool(value.value))
        else:
            self._set(str(call.path), interface, name, value)

    async def ask_agent(self, member: str, signature: str, *body: object) -> Message:
        """What the agent that pairs answers."""
        assert self._agent is not None
        name, path = self._agent
        question = Message(
            destination=name,
            path=path,
            interface="org.bluez.Agent1",
            member=member,
            signature=signature,
            body=list(body),
        )
        answer = await self._bus.call(question)
        assert answer is not None
        return answer

    async def _pair(self, call: Message) -> None:
        if self.passkey is None:
            answer = await self.ask_agent("RequestAuthorization", "o", self._device)
            good = answer.message_type is MessageType.METHOD_RETURN
        else:
            answer = await self.ask_agent("RequestPasskey", "o", self._device)
            good = answer.message_type is MessageType.METHOD_RETURN and answer.body[0] == self.passkey
        if good:
            for name in ("Paired", "Bonded"):
                self._set(self._device, "org.bluez.Device1", name, _YES)
            self._bus.send(Message.new_method_return(call))
        else:
            self._bus.send(Message.new_error(call, "org.bluez.Error.AuthenticationFailed", "Authentication Failed"))

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
async def fake_bluez(bus_address: str, *, name: str, address: str, replace: bool = False) -> AsyncIterator[FakeBlueZ]:
    """Serve `org.bluez` with one strap on a bus; `replace`: as another daemon that takes the place of one."""
    bus = await MessageBus(bus_type=BusType.SYSTEM, bus_address=bus_address).connect()
    bluez = FakeBlueZ(bus, name=name, address=address)
    await bus.request_name("org.bluez", NameFlag.ALLOW_REPLACEMENT | (NameFlag.REPLACE_EXISTING if replace else 0))
    advertising = asyncio.create_task(bluez.advertise(), name="advertise")
    try:
        yield bluez
    finally:
        advertising.cancel()
        bus.disconnect()
