"""An emulated `org.bluez` on a bus of its own, as far as a central needs it: one adapter, sensors, and their faults.

With it the agent runs on bleak's BlueZ backend, in a process that holds nothing for tests. It does not show radio,
BlueZ itself or a strap's firmware. Interfaces after BlueZ's own documents (doc/org.bluez.*.rst).
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
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


class FakeSensor:
    """A sensor that the service knows of, or will when it is heard.

    Attributes:
        address: its Bluetooth address.
        path: of its object on the bus.
        about: its properties.
        reported: whether the present scan has heard it.
    """

    def __init__(self, daemon: FakeBlueZ, *, name: str, address: str, service: str, stream: str) -> None:
        self._daemon = daemon
        self._service, self._stream = service, stream
        self._subscription = asyncio.Event()
        self.address = address
        self.path = f"{ADAPTER}/dev_{address.replace(':', '_')}"
        self.reported = False
        self.about: Properties = {
            "Address": Variant("s", address),
            "AddressType": Variant("s", "random"),
            "Name": Variant("s", name),
            "Alias": Variant("s", name),
            "Adapter": Variant("o", ADAPTER),
            "UUIDs": Variant("as", [service]),
            "RSSI": Variant("n", -50),
            "Paired": _NO,
            "Bonded": _NO,
            "Trusted": _NO,
            "Blocked": _NO,
            "LegacyPairing": _NO,
            "Connected": _NO,
            "ServicesResolved": _NO,
        }

    @property
    def connected(self) -> bool:
        """Whether it has a link."""
        return bool(self.about["Connected"].value)

    @property
    def subscribed(self) -> bool:
        """Whether anybody has asked for its notifications."""
        return self._subscription.is_set()

    async def wait_for_subscriber(self) -> None:
        """Return as soon as somebody has asked for its notifications."""
        await self._subscription.wait()

    async def notify(self, packet: bytes) -> None:
        """Send a packet of its stream."""
        self._daemon.set(self._characteristic, "org.bluez.GattCharacteristic1", "Value", Variant("ay", packet))
        await asyncio.sleep(0)

    def lose_link(self) -> None:
        """Be out of range for a moment."""
        self._subscription.clear()
        self._daemon.set(self.path, "org.bluez.Device1", "ServicesResolved", _NO)
        self._daemon.set(self.path, "org.bluez.Device1", "Connected", _NO)

    def connect_to_nobody(self) -> None:
        """Hold a link that nobody asked for, as after an agent was killed."""
        self._daemon.objects[self.path] = {"org.bluez.Device1": self.about}
        self.about["Connected"] = _YES

    def bond(self) -> None:
        """Have the daemon hold a key of it, whatever it holds itself."""
        self._daemon.objects[self.path] = {"org.bluez.Device1": self.about}
        self.about["Paired"] = self.about["Bonded"] = _YES

    def advertise(self, rssi_dbm: int) -> None:
        """Be heard."""
        self.reported = True
        if self.path in self._daemon.objects:
            self._daemon.set(self.path, "org.bluez.Device1", "RSSI", Variant("n", rssi_dbm))
        else:
            self._daemon.add(self.path, "org.bluez.Device1", self.about)

    def connect(self) -> None:
        """Have a link, and services on it."""
        service = self._characteristic.rpartition("/")[0]
        of_service = {
            "UUID": Variant("s", self._service),
            "Primary": _YES,
            "Device": Variant("o", self.path),
            "Includes": Variant("ao", []),
        }
        of_stream = {
            "UUID": Variant("s", self._stream),
            "Service": Variant("o", service),
            "Value": Variant("ay", b""),
            "Notifying": _NO,
            "Flags": Variant("as", ["notify"]),
            "MTU": Variant("q", 247),
        }
        self._daemon.add(service, "org.bluez.GattService1", of_service)
        self._daemon.add(self._characteristic, "org.bluez.GattCharacteristic1", of_stream)
        self._daemon.set(self.path, "org.bluez.Device1", "Connected", _YES)
        self._daemon.set(self.path, "org.bluez.Device1", "ServicesResolved", _YES)

    def subscribe(self, *, begins: bool) -> None:
        """Somebody asks for its notifications, or no longer."""
        (self._subscription.set if begins else self._subscription.clear)()
        notifying = _YES if begins else _NO
        self._daemon.set(self._characteristic, "org.bluez.GattCharacteristic1", "Notifying", notifying)

    @property
    def _characteristic(self) -> str:
        return f"{self.path}/service000a/char000b"


class FakeBlueZ:
    """The service on the bus; its sensors advertise while a central scans, and notify while one is subscribed."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self.sensors: list[FakeSensor] = []
        self.deaf = False
        """Scans and hears nobody, until the adapter is switched off and on."""
        self.reports_once = False
        """The controller leaves duplicates out: it reports a sensor once per scan."""
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
        self.objects: Objects = {
            ADAPTER: {
                "org.bluez.Adapter1": {
                    "Address": Variant("s", "C0:00:00:00:00:01"),
                    "Powered": _YES,
                    "Discovering": _NO,
                    "Roles": Variant("as", ["central"]),
                }
            }
        }
        bus.add_message_handler(self._answer)

    def bring(
        self,
        *,
        name: str,
        address: str,
        service: str = HEART_RATE_SERVICE,
        stream: str = HEART_RATE_MEASUREMENT,
    ) -> FakeSensor:
        """A further sensor in range; a strap unless another service and characteristic are named."""
        self.sensors.append(FakeSensor(self, name=name, address=address, service=service, stream=stream))
        return self.sensors[-1]

    @property
    def strap(self) -> FakeSensor:
        """The sensor that was there first."""
        return self.sensors[0]

    async def advertise(self) -> None:
        """Have the sensors advertise, again and again, until cancelled."""
        for count in range(1 << 30):
            await asyncio.sleep(ADVERTISING_INTERVAL_S)
            for sensor in self.sensors if self._scanning and not self.deaf else ():
                if not sensor.connected and not (self.reports_once and sensor.reported):
                    sensor.advertise(-50 - count % 5)

    @property
    def _scanning(self) -> bool:
        adapter = self.objects.get(ADAPTER, {}).get("org.bluez.Adapter1")
        return adapter is not None and bool(adapter["Discovering"].value)

    def switch(self, *, powered: bool) -> None:
        """Switch the adapter off or on; off ends its scan and its links."""
        for sensor in self.sensors:
            if sensor.connected and not powered:
                sensor.lose_link()
        self.set(ADAPTER, "org.bluez.Adapter1", "Discovering", _NO)
        self.set(ADAPTER, "org.bluez.Adapter1", "Powered", _YES if powered else _NO)

    def unplug(self) -> None:
        """Take the adapter away."""
        del self.objects[ADAPTER]
        self._emit(
            "/", "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", "oas", ADAPTER, ["org.bluez.Adapter1"]
        )

    def add(self, path: str, interface: str, properties: Properties) -> None:
        """Have an object on the bus, and say so."""
        added = self.objects[path] = {interface: properties}
        self._emit("/", "org.freedesktop.DBus.ObjectManager", "InterfacesAdded", "oa{sa{sv}}", path, added)

    def set(self, path: str, interface: str, name: str, value: Variant) -> None:
        """Change a property, and say so."""
        self.objects[path][interface][name] = value
        changed = {name: value}
        self._emit(path, "org.freedesktop.DBus.Properties", "PropertiesChanged", "sa{sv}as", interface, changed, [])

    def _answer(self, call: Message) -> Message | bool | None:
        if call.message_type is not MessageType.METHOD_CALL or call.path is None or call.member is None:
            return None
        self.calls.append(call.member)
        breaks = self.breaks and call.member == "Connect"
        if refused := self._break(call) if breaks else self.refuses.get(call.member):
            return Message.new_error(call, *refused)
        if call.member == "GetManagedObjects":
            return Message.new_method_return(call, "a{oa{sa{sv}}}", [self.objects])
        if call.member in {"Pair", *self.ignores}:
            if call.member not in self.ignores:
                task = asyncio.create_task(self._pair(call))
                self._background.add(task)
                task.add_done_callback(self._background.discard)
            return True  # the answer follows, or never does
        commands: dict[str, Callable[[Message], object]] = {
            "StartDiscovery": self._discover,
            "StopDiscovery": self._discover,
            "Connect": lambda call: self._of(call).connect(),
            "Disconnect": lambda call: self._of(call).lose_link(),
            "StartNotify": lambda call: self._of(call).subscribe(begins=True),
            "StopNotify": lambda call: self._of(call).subscribe(begins=False),
            "Set": self._set_property,
            "RegisterAgent": self._register_agent,
            "RemoveDevice": self._remove_device,
            "SetDiscoveryFilter": id,
            "RequestDefaultAgent": id,
            "UnregisterAgent": id,
        }
        obey = commands.get(call.member)
        if obey is None:
            return None  # the bus library says that there is no such method
        obey(call)
        return Message.new_method_return(call)

    def _of(self, call: Message) -> FakeSensor:
        """The sensor that a call is to."""
        return next(sensor for sensor in self.sensors if str(call.path).startswith(sensor.path))

    def _discover(self, call: Message) -> None:
        for sensor in self.sensors:
            sensor.reported = False
        self.set(ADAPTER, "org.bluez.Adapter1", "Discovering", _YES if call.member == "StartDiscovery" else _NO)

    def _break(self, call: Message) -> tuple[str, str]:
        for connected in (_YES, _NO):
            self.set(self._of(call).path, "org.bluez.Device1", "Connected", connected)
        return "org.bluez.Error.Failed", "le-connection-abort-by-local"

    def _register_agent(self, call: Message) -> None:
        self._agent = (call.sender or "", str(call.body[0]))

    def _remove_device(self, call: Message) -> None:
        for sensor in self.sensors:
            if sensor.path == call.body[0] and self.objects.pop(sensor.path, None):
                sensor.about["Paired"] = sensor.about["Bonded"] = _NO

    def _set_property(self, call: Message) -> None:
        interface, name, value = call.body
        if name == "Powered":
            self.deaf = False
            self.refuses.pop("StartDiscovery", None)
            self.switch(powered=bool(value.value))
        else:
            self.set(str(call.path), interface, name, value)

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
        path = self._of(call).path
        if self.passkey is None:
            answer = await self.ask_agent("RequestAuthorization", "o", path)
            good = answer.message_type is MessageType.METHOD_RETURN
        else:
            answer = await self.ask_agent("RequestPasskey", "o", path)
            good = answer.message_type is MessageType.METHOD_RETURN and answer.body[0] == self.passkey
        if good:
            for name in ("Paired", "Bonded"):
                self.set(path, "org.bluez.Device1", name, _YES)
            self._bus.send(Message.new_method_return(call))
        else:
            self._bus.send(Message.new_error(call, "org.bluez.Error.AuthenticationFailed", "Authentication Failed"))

    def _emit(self, path: str, interface: str, member: str, signature: str, *body: object) -> None:
        self._bus.send(Message.new_signal(path, interface, member, signature, list(body)))


@contextlib.asynccontextmanager
async def fake_bluez(bus_address: str, *, name: str, address: str, replace: bool = False) -> AsyncIterator[FakeBlueZ]:
    """Serve `org.bluez` with one strap on a bus; `replace`: as another daemon that takes the place of one."""
    bus = await MessageBus(bus_type=BusType.SYSTEM, bus_address=bus_address).connect()
    bluez = FakeBlueZ(bus)
    bluez.bring(name=name, address=address)
    await bus.request_name("org.bluez", NameFlag.ALLOW_REPLACEMENT | (NameFlag.REPLACE_EXISTING if replace else 0))
    advertising = asyncio.create_task(bluez.advertise(), name="advertise")
    try:
        yield bluez
    finally:
        advertising.cancel()
        bus.disconnect()
