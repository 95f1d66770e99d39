"""The air of the demo: controllers that hear each other in memory, one of them served to another process.

A virtual strap sits in this process. The agent sits in its own, so that it can be killed like the real
one, and reaches its controller through HCI packets over loopback TCP, framed as for a UART (Bluetooth
Core Specification 5.4, Vol 4, Part A). What is virtual ends there: both hosts run complete L2CAP, ATT
and GATT layers.

Not simulated: interference, packet loss, signal strength. A link is there, or it breaks (`drop_links`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bumble import hci
from bumble.controller import Controller
from bumble.link import LocalLink
from bumble.transport.common import StreamPacketSink, StreamPacketSource

LOOPBACK = "127.0.0.1"


class VirtualController(Controller):
    """A controller whose connection attempts can be cancelled and whose links can break.

    Attributes:
        rssi_dbm: how strong others hear it.
    """

    rssi_dbm = -50

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Hand a packet to the host; a report of an advertisement with the signal strength of its sender."""
        if isinstance(packet, hci.HCI_LE_Advertising_Report_Event | hci.HCI_LE_Extended_Advertising_Report_Event):
            for report in packet.reports:
                report.rssi = getattr(self.link.find_le_controller(report.address), "rssi_dbm", report.rssi)
        super().send_hci_packet(packet)

    def on_hci_le_create_connection_cancel_command(
        self, _command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """End the pending attempt (Vol 4, Part E, 7.8.13); bumble's own leaves its host waiting for ever."""
        if (pending := self.pending_le_connection) is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address.address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)

    def drop_links(self) -> None:
        """Break every link as a supervision timeout does: both ends see a disconnection, reason 0x08."""
        for near_end in list(self.le_connections.values()):
            peer = self.link.find_le_controller(near_end.peer_address)
            far_end = peer.le_connections.get(near_end.self_address) if peer else None
            if peer and far_end:
                peer.on_le_disconnected(far_end, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
            self.on_le_disconnected(near_end, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def power_off(self) -> None:
        """Leave the air: break the links, fall silent, hear nothing any more."""
        self.set_packet_sink(None)
        self.drop_links()
        self.le_legacy_advertiser.stop()
        for advertising_set in self.advertising_sets.values():
            advertising_set.stop()
        self.pending_le_connection = None
        self.link.remove_controller(self)


class _HciClient(StreamPacketSource):
    """One host process: its controller lives as long as the connection, so a killed host leaves no state."""

    def __init__(self, link: LocalLink, transports: set[asyncio.WriteTransport]) -> None:
        super().__init__()
        self._link = link
        self._transports = transports
        self._transport: asyncio.WriteTransport | None = None
        self._controller: VirtualController | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)  # noqa: S101 - asyncio gives a TCP server nothing else
        self._transport = transport
        self._transports.add(transport)
        self._controller = VirtualController(
            "host process", host_source=self, host_sink=StreamPacketSink(transport), link=self._link
        )

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._controller is not None and self._transport is not None:
            self._controller.power_off()
            self._transports.discard(self._transport)
        self.on_transport_lost()


@dataclass(frozen=True, slots=True)
class VirtualRadio:
    """The air, and the port where another process finds a controller on it.

    Attributes:
        link: what the controllers hear each other through.
        hci_port: loopback TCP port; every connection to it is a new controller.
    """

    link: LocalLink
    hci_port: int

    @property
    def transport(self) -> str:
        """The bumble transport specification for the agent's process."""
        return f"tcp-client:{LOOPBACK}:{self.hci_port}"


@asynccontextmanager
async def virtual_radio(link: LocalLink | None = None) -> AsyncIterator[VirtualRadio]:
    """Open the air, or an HCI port more to one that is open, for as long as the context lasts."""
    link = link or LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
    hosts: set[asyncio.WriteTransport] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _HciClient(link, hosts), LOOPBACK, 0)
    try:
        yield VirtualRadio(link, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for host in hosts:
            host.abort()
        await server.wait_closed()
