"""Reading a packet field by field, little-endian as everything in GATT; what is missing is named with its offset."""

from __future__ import annotations

from typing import NoReturn

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.uuids import shortest


class Cursor:
    """A place in the bytes of one characteristic's value.

    Every method takes the name of the field, for the error alone, and raises `MalformedPacketError` when the bytes end
    before the field does.

    Attributes:
        characteristic: UUID of the characteristic.
        data: all of the value.
        offset: of the next byte to read.
    """

    def __init__(self, characteristic: str, data: bytes) -> None:
        self.characteristic = characteristic
        self.data = data
        self.offset = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.data) - self.offset

    def raw(self, field: str, size: int) -> bytes:
        """The next bytes as they are."""
        if self.left < size:
            self.refuse(field, f"needs {size} {'byte' if size == 1 else 'bytes'}, the packet has {self.left} left")
        self.offset += size
        return self.data[self.offset - size : self.offset]

    def unsigned(self, field: str, size: int) -> int:
        """An unsigned integer of `size` bytes."""
        return int.from_bytes(self.raw(field, size), "little")

    def signed(self, field: str, size: int) -> int:
        """An integer of `size` bytes in two's complement."""
        return int.from_bytes(self.raw(field, size), "little", signed=True)

    def rest(self) -> bytes:
        """All that is left."""
        return self.raw("rest", self.left)

    def refuse(self, field: str, reason: str, *, offset: int | None = None) -> NoReturn:
        """Say what is wrong with a field, by default with the one that starts here."""
        at = self.offset if offset is None else offset
        raise MalformedPacketError(shortest(self.characteristic), self.data, reason, field=field, offset=at)
