"""What reads bytes from the air: a parser, `parse UUID`, or a decoder with a sequence of packets, `stream UUID`.

A finding is what raises anything but `MalformedPacketError`, names a field outside of the packet, or reads a number
that is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles.polar_acceleration import AccelerationStream
from edge_agent.sensors.profiles.readings import Acceleration, Reading
from edge_agent.sensors.profiles.registry import CHARACTERISTICS, new_decoder
from edge_agent.sensors.profiles.uuids import normalized, shortest
from tests.sensors.profiles.documentation import documented_packets

_ARRIVAL_UNITS_PER_S = 4  # of the byte between two packets: 0 to 64 s
_TO_CONTROL = 0x80  # of the byte that says how long a packet is

# What the acceleration stream hears before it decodes frames: settings, then that it has started, at once or after a
# stop; and what ends it.
_SETTINGS, _REST_OF_SETTINGS = "f001020000 000419003200 6400c800", "f001020000 01011000 0203020004000800"
_STARTED = "f002020000 0501 0000803e"
_HANDSHAKES = (
    (_SETTINGS, _STARTED),
    (_SETTINGS.replace("f001020000", "f001020001"), _REST_OF_SETTINGS, "f0020206", "f0030200", _STARTED, "0102"),
    (_SETTINGS, "f002020d"),
    ("f001020000 01011000",),
)

JSON_TARGETS = ()
COVERED = ["edge_agent/sensors/profiles/*"]

TARGETS = [f"parse {uuid}" for uuid in CHARACTERISTICS] + [
    f"stream {uuid}" for uuid, characteristic in CHARACTERISTICS.items() if characteristic.decoder
]


def title(name: str) -> str:
    """The target for people."""
    kind, uuid = name.split()
    return f"{kind} {shortest(uuid)} {CHARACTERISTICS[uuid].name}"


def longest(name: str) -> int:
    """Bytes of the longest input that is tried; a value of an attribute has at most 512."""
    return 256 if name.startswith("parse") else 512


def weight(_: str) -> int:
    """All get as many inputs."""
    return 1


def target(name: str) -> Callable[[bytes], None]:
    """What to call with an input."""
    kind, uuid = name.split()
    return {"parse": _parse, "stream": _stream}[kind](uuid)


def seeds(name: str) -> list[bytes]:
    """Inputs to begin with: the documented packets, for a decoder as a sequence."""
    kind, uuid = name.split()
    values = [bytes.fromhex(packet.hex) for packet in documented_packets() if normalized(packet.uuid) == uuid]
    if kind == "parse":
        return values
    sequence = b"".join(_packet(value, waited=_ARRIVAL_UNITS_PER_S) for value in values * 3)
    if not CHARACTERISTICS[uuid].control_point:
        return [sequence]
    heard = [b"".join(_packet(bytes.fromhex(value), _TO_CONTROL) for value in values) for values in _HANDSHAKES]
    return [control + sequence for control in heard]


def _parse(uuid: str) -> Callable[[bytes], None]:
    parser = CHARACTERISTICS[uuid].parse

    def run(data: bytes) -> None:
        try:
            parser(data)
        except MalformedPacketError as error:
            if not 0 <= error.offset <= len(data):
                raise AssertionError(error.offset) from error

    return run


def _stream(uuid: str) -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        decoder, now_s = new_decoder(uuid), 0.0
        if isinstance(decoder, AccelerationStream):
            decoder.begin()
        for waited_s, to_control, packet in _packets(data):
            now_s += waited_s
            try:
                if to_control and isinstance(decoder, AccelerationStream):
                    decoder.on_control(packet)
                for reading in decoder.push(packet, now_s):
                    _check(reading)
            except MalformedPacketError:
                continue

    return run


def _packet(value: bytes, to: int = 0, *, waited: int = 0) -> bytes:
    """One packet of a sequence, as `_packets` takes it apart."""
    return bytes([to | len(value), waited]) + value


def _packets(data: bytes) -> Iterator[tuple[float, bool, bytes]]:
    """An input as a sequence: how long after the one before, whether for the control point, its bytes."""
    while len(data) > 1:
        size, waited = data[0] & ~_TO_CONTROL, data[1]
        yield waited / _ARRIVAL_UNITS_PER_S, bool(data[0] & _TO_CONTROL), data[2 : 2 + size]
        data = data[2 + size :]


def _check(reading: Reading | Acceleration) -> None:
    if isinstance(reading, Acceleration):
        numbers = [*reading.at_s, *(axis for sample in reading.xyz_mps2 for axis in sample)]
    else:
        numbers = [reading.value, reading.at_s]
    if not all(map(math.isfinite, numbers)):
        raise AssertionError(reading)
