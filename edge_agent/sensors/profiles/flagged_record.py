"""Records whose flags say which fields follow: the common layout of the fitness machines' data characteristics.

A `Layout` lists the fields in their order on the wire, in groups of those that share a flag; parser and encoder both
follow it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.sensors.profiles.cursor import Cursor

_MORE_DATA = 1

_UNIT = re.compile("_(mps|m|s|deg|rpm|spm|bpm|w|n|kcal|s_per_500m|km_per_min)$")


@dataclass(frozen=True, slots=True)
class Field:
    """A number of a record.

    Attributes:
        name: of the attribute it is read into.
        size: bytes.
        signed: in two's complement.
        per_unit: how many of the wire's units make one of ours; 1 leaves an integer.
        unavailable: what stands for "data not available" on the wire; it is read as None.
    """

    name: str
    size: int
    signed: bool = False
    per_unit: int = 1
    unavailable: int | None = None

    def read(self, cursor: Cursor) -> float | None:
        """The number at the cursor."""
        label = _UNIT.sub("", self.name).replace("_", " ")
        raw = cursor.signed(label, self.size) if self.signed else cursor.unsigned(label, self.size)
        if raw == self.unavailable:
            return None
        return raw if self.per_unit == 1 else raw / self.per_unit

    def write(self, value: float | None) -> bytes:
        """The number as it is sent, rounded to the wire's units."""
        raw = (self.unavailable or 0) if value is None else round(value * self.per_unit)
        return raw.to_bytes(self.size, "little", signed=self.signed)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields that are present together.

    Attributes:
        bit: of the flags that says so.
        fields: in their order.
    """

    bit: int
    fields: tuple[Field, ...]

    def present(self, flags: int) -> bool:
        """Whether its fields follow; bit 0, "more data", means that the fields that complete a record do not."""
        return bool(flags >> self.bit & 1) != (self.bit == 0)


@dataclass(frozen=True, slots=True)
class Layout:
    """A characteristic's layout.

    Attributes:
        characteristic: its UUID.
        flag_bytes: how many bytes of flags it begins with.
        groups: what follows, in order.
    """

    characteristic: str
    flag_bytes: int
    groups: tuple[Group, ...]

    def flags(self, data: bytes) -> int:
        """The flags of a packet.

        Raises:
            MalformedPacketError: it is too short for them.
        """
        return Cursor(self.characteristic, data).unsigned("flags", self.flag_bytes)

    def size(self, flags: int) -> int:
        """How long a packet with these flags is, in bytes."""
        present = (field for group in self.groups if group.present(flags) for field in group.fields)
        return self.flag_bytes + sum(field.size for field in present)

    def read(self, data: bytes) -> dict[str, float | None]:
        """The fields of a packet; those whose flag is not set, and those not available, are left out.

        Reserved flags and bytes behind the last field are ignored.

        Raises:
            MalformedPacketError: the packet ends before its last field.
        """
        cursor = Cursor(self.characteristic, data)
        flags = cursor.unsigned("flags", self.flag_bytes)
        values = {
            field.name: field.read(cursor) for group in self.groups if group.present(flags) for field in group.fields
        }
        return {name: value for name, value in values.items() if value is not None}

    def write(self, values: Mapping[str, float | None], *, more_data: bool, other_flags: int = 0) -> bytes:
        """The packet that `read` reads.

        A group is sent when it has a value; what else is in it is sent as not available, or as 0 where the
        specification has no such value.
        """
        flags, body = other_flags | (_MORE_DATA if more_data else 0), b""
        for group in self.groups:
            given = [values.get(field.name) for field in group.fields]
            if group.bit and any(value is not None for value in given):
                flags |= 1 << group.bit
            if group.present(flags):
                body += b"".join(field.write(value) for field, value in zip(group.fields, given, strict=True))
        return flags.to_bytes(self.flag_bytes, "little") + body
