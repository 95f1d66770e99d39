"""Device Information Service 0x180A: who made the sensor, and which one it is.

Source: Bluetooth SIG, Device Information Service 1.1, sections 3.1 to 3.9; GATT Specification Supplement, PnP ID and
System ID.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from edge_agent.sensors.profiles.cursor import Cursor
from edge_agent.sensors.profiles.uuids import assigned

SERVICE = assigned(0x180A)
SYSTEM_ID = assigned(0x2A23)
MODEL_NUMBER = assigned(0x2A24)
SERIAL_NUMBER = assigned(0x2A25)
FIRMWARE_REVISION = assigned(0x2A26)
HARDWARE_REVISION = assigned(0x2A27)
SOFTWARE_REVISION = assigned(0x2A28)
MANUFACTURER_NAME = assigned(0x2A29)
PNP_ID = assigned(0x2A50)


@dataclass(frozen=True, slots=True)
class Text:
    """One of the service's strings.

    Attributes:
        text: what it says, without the zeros that some firmware pads it with.
    """

    text: str


@dataclass(frozen=True, slots=True)
class SystemId:
    """An extended unique identifier of this one device. It identifies the owner as an address does: not for logs.

    Attributes:
        eui64: 16 hex digits, the organisation's part first.
    """

    eui64: str


class VendorSource(IntEnum):
    """Who has assigned a vendor's number."""

    BLUETOOTH_SIG = 1
    USB_FORUM = 2


_VENDOR_SOURCES = {source.value: source for source in VendorSource}


@dataclass(frozen=True, slots=True)
class PnpId:
    """Make, model and version as numbers.

    Attributes:
        vendor_source: who assigned the vendor's number, None when the byte is reserved.
        vendor: the maker.
        product: the maker's number for the model.
        version: the maker's number for the version, by convention 0xJJMN for JJ.M.N.
    """

    vendor_source: VendorSource | None
    vendor: int
    product: int
    version: int


def parse_text(characteristic: str, data: bytes) -> Text:
    """Decode one of the strings (0x2A24 to 0x2A29).

    Raises:
        MalformedPacketError: it is not UTF-8.
    """
    try:
        return Text(data.rstrip(b"\0").decode())
    except UnicodeDecodeError as error:
        Cursor(characteristic, data).refuse("text", f"not UTF-8: {error.reason}", offset=error.start)


def encode_text(value: Text) -> bytes:
    """The string that `parse_text` reads."""
    return value.text.encode()


def parse_system_id(data: bytes) -> SystemId:
    """Decode a System ID (0x2A23).

    Raises:
        MalformedPacketError: it is shorter than 8 bytes.
    """
    return SystemId(f"{Cursor(SYSTEM_ID, data).unsigned('EUI-64', 8):016x}")


def encode_system_id(value: SystemId) -> bytes:
    """The System ID that `parse_system_id` reads."""
    return int(value.eui64, 16).to_bytes(8, "little")


def parse_pnp_id(data: bytes) -> PnpId:
    """Decode a PnP ID (0x2A50).

    Raises:
        MalformedPacketError: it is shorter than 7 bytes.
    """
    cursor = Cursor(PNP_ID, data)
    source = cursor.unsigned("vendor ID source", 1)
    return PnpId(
        vendor_source=_VENDOR_SOURCES.get(source),
        vendor=cursor.unsigned("vendor ID", 2),
        product=cursor.unsigned("product ID", 2),
        version=cursor.unsigned("product version", 2),
    )


def encode_pnp_id(value: PnpId) -> bytes:
    """The PnP ID that `parse_pnp_id` reads; a reserved source is written as 0."""
    numbers = (value.vendor, value.product, value.version)
    return bytes([value.vendor_source or 0]) + b"".join(number.to_bytes(2, "little") for number in numbers)
