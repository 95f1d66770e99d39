"""BlueZ below bleak, over D-Bus: faults, bonds, power, and an agent that answers a pairing's questions.

Interfaces after BlueZ's documents org.bluez.Adapter.rst, org.bluez.Device.rst, org.bluez.AgentManager.rst and
org.bluez.Agent.rst. Every call opens a connection of its own: what D-Bus or bluetoothd went through in between does not
matter then, and none of these calls is frequent.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bleak.exc import BleakError
from dbus_fast import BusType, DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.errors import AuthError, DBusFastError

from edge_agent.errors import LinkError
from edge_agent.sensors.links.host import AskPasskey
from edge_agent.sensors.links.states import AdapterFault

log = logging.getLogger(__name__)

BLUEZ = "org.bluez"
ADAPTER = "org.bluez.Adapter1"
DEVICE = "org.bluez.Device1"
AGENT = "org.bluez.Agent1"
MANAGER = "org.bluez.AgentManager1"
PROPERTIES = "org.freedesktop.DBus.Properties"
AGENT_PATH = "/heartline/agent"

# A call that takes longer is one that bluetoothd has forgotten.
CALL_S = 10.0
# Off for long enough that the controller really is.
POWER_OFF_S = 1.0

DBUS_ERRORS = (DBusFastError, OSError, EOFError, TimeoutError)

Objects = Mapping[str, Mapping[str, Mapping[str, Any]]]


class BlueZHost:
    """The first adapter of this machine, as bleak uses it."""

    def __init__(self, *, sysfs: Path = Path("/sys")) -> None:
        """Prepare.

        Args:
            sysfs: where the kernel shows its devices.
        """
        self._sysfs = sysfs

    async def fault(self) -> AdapterFault | None:
        """Why Bluetooth cannot be used; None when it can."""
        fault = await self._fault_of_bluez()
        if fault not in {None, AdapterFault.POWERED_OFF} and not (self._sysfs / "class" / "bluetooth").exists():
            return AdapterFault.NO_KERNEL
        if fault is not None and self._blocked():
            return AdapterFault.BLOCKED
        return fault

    async def version(self) -> str | None:
        """Of BlueZ, as its own tool says; None when it is not installed."""
        try:
            tool = await asyncio.create_subprocess_exec(
                "bluetoothctl", "--version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
            )
            output, _ = await tool.communicate()
        except OSError:
            return None
        return output.decode(errors="replace").rpartition(" ")[2].strip() or None

    async def _fault_of_bluez(self) -> AdapterFault | None:
        try:
            objects = await self.objects()
        except DBUS_ERRORS as error:
            return _fault_of(error)
        adapter = next(iter(_adapters(objects).values()), None)
        if adapter is None:
            return AdapterFault.NO_ADAPTER
        return None if adapter.get("Powered") else AdapterFault.POWERED_OFF

    async def bonded(self) -> set[str]:
        """Identity addresses that there is a key for, upper case."""
        try:
            objects = await self.objects()
        except DBUS_ERRORS:
            return set()
        # `Bonded` came with BlueZ 5.66; before that `Paired` is all there is.
        return {
            str(device["Address"]).upper()
            for device in _devices(objects).values()
            if device.get("Bonded", device.get("Paired"))
        }

    async def release(self, addresses: set[str]) -> None:
        """Disconnect these sensors, where an agent that was killed left them connected."""
        try:
            async with _connection() as bus:
                for path, device in _devices(await _objects(bus)).items():
                    if device.get("Connected") and str(device["Address"]).upper() in addresses:
                        log.info("adapter: closing a link that an earlier run left open")
                        await _call(bus, path, DEVICE, "Disconnect")
        except DBUS_ERRORS as error:
            log.debug("adapter: links of an earlier run could not be looked for (%s)", type(error).__name__)

    async def remove(self, address: str) -> None:
        """Forget what is remembered of a sensor, its bond included."""
        try:
            async with _connection() as bus:
                for path, device in _devices(await _objects(bus)).items():
                    if str(device["Address"]).upper() == address.upper():
                        await _call(bus, str(device["Adapter"]), ADAPTER, "RemoveDevice", "o", [path])
        except DBUS_ERRORS as error:
            log.debug("adapter: a sensor could not be removed (%s)", type(error).__name__)

    async def power_cycle(self) -> None:
        """Switch the adapter off and on."""
        try:
            async with _connection() as bus:
                for path in _adapters(await _objects(bus)):
                    for powered in (False, True):
                        await _call(bus, path, PROPERTIES, "Set", "ssv", [ADAPTER, "Powered", Variant("b", powered)])
                        await asyncio.sleep(POWER_OFF_S)
                    return
        except DBUS_ERRORS as error:
            log.warning("adapter: could not be switched off and on (%s)", type(error).__name__)

    async def reset(self) -> bool:
        """Reset the adapter's hardware through `bluetooth-auto-recovery`, where its user has installed it.

        It is no dependency: the library it stands on, PyRIC, is under the GPL.
        """
        try:
            recovery = importlib.import_module("bluetooth_auto_recovery")
            adapters = _adapters(await self.objects())
            path, adapter = next(iter(adapters.items()))
            return bool(await recovery.recover_adapter(int(path.rpartition("hci")[2]), str(adapter["Address"])))
        except (ImportError, StopIteration, ValueError, *DBUS_ERRORS):
            return False

    @asynccontextmanager
    async def pairing(self, address: str, ask_passkey: AskPasskey) -> AsyncIterator[None]:
        """Answer the questions of one pairing while the context lasts.

        Args:
            address: the sensor's, as it shows it now; nobody else is answered.
            ask_passkey: asks the user.

        Raises:
            LinkError: bluetoothd does not take our agent, or there is no passkey.
        """
        try:
            async with _connection() as bus:
                agent = _PairingAgent(bus, address, ask_passkey)
                bus.add_message_handler(agent.answer)
                await _call(bus, "/org/bluez", MANAGER, "RegisterAgent", "os", [AGENT_PATH, "KeyboardDisplay"])
                # bleak pairs on a connection of its own, so ours has to be everybody's agent for this while.
                await _call(bus, "/org/bluez", MANAGER, "RequestDefaultAgent", "o", [AGENT_PATH])
                try:
                    yield
                except BleakError as error:
                    if agent.refusal is not None:
                        raise agent.refusal from error
                    raise
                finally:
                    await _call(bus, "/org/bluez", MANAGER, "UnregisterAgent", "o", [AGENT_PATH])
        except DBUS_ERRORS as error:
            msg = f"bluetoothd takes no pairing agent ({error}); see `systemctl status bluetooth`"
            raise LinkError(msg) from error

    async def objects(self) -> Objects:
        """Everything that bluetoothd knows, without D-Bus's wrappers.

        Raises:
            OSError, EOFError, TimeoutError, DBusFastError: it cannot be asked.
        """
        async with _connection() as bus:
            return await _objects(bus)

    def _blocked(self) -> bool:
        """Whether rfkill holds a Bluetooth radio off (kernel document rfkill.rst)."""
        for switch in (self._sysfs / "class" / "rfkill").glob("rfkill*"):
            try:
                if (switch / "type").read_text().strip() == "bluetooth" and "1" in (
                    (switch / "soft").read_text().strip(),
                    (switch / "hard").read_text().strip(),
                ):
                    return True
            except OSError:
                continue
        return False


class _PairingAgent:
    """`org.bluez.Agent1`: gives the passkey that its user reads off the sensor, and agrees where there is none.

    Attributes:
        refusal: why it gave no passkey, if it did not.
    """

    def __init__(self, bus: MessageBus, address: str, ask_passkey: AskPasskey) -> None:
        self._bus = bus
        self._device = "dev_" + address.upper().replace(":", "_")
        self._ask_passkey = ask_passkey
        self._asking: asyncio.Task[None] | None = None
        self.refusal: LinkError | None = None

    def answer(self, call: Message) -> Message | bool | None:
        """Answer bluetoothd."""
        if call.message_type is not MessageType.METHOD_CALL or call.interface != AGENT:
            return None
        ours = bool(call.body) and str(call.body[0]).endswith(self._device)
        match call.member:
            case "Release" | "Cancel":
                return Message.new_method_return(call)
            case "RequestConfirmation" | "RequestAuthorization" | "AuthorizeService" if ours:
                return Message.new_method_return(call)  # the one who pairs has the sensor in hand
            case "DisplayPasskey" if ours:
                log.warning("pairing: enter %06d on the sensor", call.body[1])
                return Message.new_method_return(call)
            case "RequestPasskey" if ours:
                self._asking = asyncio.create_task(self._enter(call), name="passkey")
                return True
        return Message.new_error(call, "org.bluez.Error.Rejected", "not the sensor that is being paired")

    async def _enter(self, call: Message) -> None:
        try:
            passkey = await self._ask_passkey()
        except LinkError as error:
            self.refusal = error
            await self._bus.send(Message.new_error(call, "org.bluez.Error.Rejected", str(error)))
        else:
            await self._bus.send(Message.new_method_return(call, "u", [passkey]))


@asynccontextmanager
async def _connection() -> AsyncIterator[MessageBus]:
    bus = MessageBus(bus_type=BusType.SYSTEM)
    try:
        async with asyncio.timeout(CALL_S):
            await bus.connect()
        yield bus
    finally:
        bus.disconnect()


async def _objects(bus: MessageBus) -> Objects:
    reply = await _call(bus, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    return {
        path: {
            interface: {name: value.value for name, value in properties.items()}
            for interface, properties in interfaces.items()
        }
        for path, interfaces in reply[0].items()
    }


async def _call(  # noqa: PLR0917 - in the order of D-Bus's own tools
    bus: MessageBus, path: str, interface: str, member: str, signature: str = "", body: list[Any] | None = None
) -> list[Any]:
    call = Message(
        destination=BLUEZ, path=path, interface=interface, member=member, signature=signature, body=body or []
    )
    async with asyncio.timeout(CALL_S):
        reply = await bus.call(call)
    if reply is None:
        msg = "the bus hung up"
        raise EOFError(msg)
    if reply.message_type is MessageType.ERROR:
        raise DBusError(reply.error_name or "org.bluez.Error.Failed", str((reply.body or [""])[0]))
    return list(reply.body)


def _adapters(objects: Objects) -> dict[str, Mapping[str, Any]]:
    return {path: objects[path][ADAPTER] for path in sorted(objects) if ADAPTER in objects[path]}


def _devices(objects: Objects) -> dict[str, Mapping[str, Any]]:
    return {path: interfaces[DEVICE] for path, interfaces in objects.items() if DEVICE in interfaces}


def _fault_of(error: BaseException) -> AdapterFault:
    """Why bluetoothd could not be asked."""
    if isinstance(error, DBusError):
        return AdapterFault.DENIED if "AccessDenied" in error.type else AdapterFault.NO_BLUEZ
    return AdapterFault.DENIED if isinstance(error, PermissionError | AuthError) else AdapterFault.NO_DBUS
