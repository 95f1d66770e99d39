"""Heart Rate profile: the Heart Rate Measurement characteristic.

Source: Bluetooth SIG, Heart Rate Service 1.0, section 3.1; GATT Specification Supplement, section 3.113
(Heart Rate Measurement).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from edge_agent.errors import MalformedPacketError

SERVICE = 0x180D
MEASUREMENT = 0x2A37

_VALUE_IS_UINT16 = 0x01
_CONTACT_DETECTED = 0x02
_CONTACT_SUPPORTED = 0x04
_ENERGY_PRESENT = 0x08
_RR_PRESENT = 0x10

_MS_PER_RR_UNIT = 1000 / 1024  # RR intervals come in units of 1/1024 s


@dataclass(frozen=True, slots=True)
class HeartRateMeasurement:
    """One notification of a heart-rate sensor.

    Attributes:
        heart_rate_bpm: as the sensor says; 0 means that it has none.
        sensor_contact: whether the sensor touches skin, None when it cannot tell.
        energy_expended_kj: since the last reset, None when not sent; 65535 means that or more.
        rr_intervals_ms: beat-to-beat intervals, oldest first; the ones of 0 are left out.
        zero_rr_count: how many intervals of 0 were left out.
    """

    heart_rate_bpm: int
    sensor_contact: bool | None
    energy_expended_kj: int | None
    rr_intervals_ms: tuple[float, ...]
    zero_rr_count: int = 0


def parse(data: bytes) -> HeartRateMeasurement:
    """Decode a Heart Rate Measurement (0x2A37).

    Reserved flag bits are ignored, as the specification asks. A set "contact detected" bit without the "contact
    supported" bit says nothing.

    Raises:
        MalformedPacketError: the bytes are shorter or longer than their flags say.
    """
    if not data:
        raise MalformedPacketError(MEASUREMENT, data, "empty, at least flags and a heart rate are needed")
    flags = data[0]
    value_size = 2 if flags & _VALUE_IS_UINT16 else 1
    rr_start = 1 + value_size + (2 if flags & _ENERGY_PRESENT else 0)
    if len(data) < rr_start:
        raise MalformedPacketError(MEASUREMENT, data, f"{len(data)} bytes, its flags promise at least {rr_start}")
    trailing = len(data) - rr_start
    if trailing and not flags & _RR_PRESENT:
        raise MalformedPacketError(MEASUREMENT, data, f"{trailing} bytes more than its flags promise")
    if trailing % 2:
        raise MalformedPacketError(MEASUREMENT, data, "half an RR interval at its end")

    # The RR flag with nothing behind it is what a strap sends that missed every beat since its last notification.
    units = struct.unpack_from(f"<{trailing // 2}H", data, rr_start)
    return HeartRateMeasurement(
        heart_rate_bpm=int.from_bytes(data[1 : 1 + value_size], "little"),
        sensor_contact=bool(flags & _CONTACT_DETECTED) if flags & _CONTACT_SUPPORTED else None,
        energy_expended_kj=int.from_bytes(data[rr_start - 2 : rr_start], "little") if flags & _ENERGY_PRESENT else None,
        rr_intervals_ms=tuple(unit * _MS_PER_RR_UNIT for unit in units if unit),
        zero_rr_count=units.count(0),
    )
