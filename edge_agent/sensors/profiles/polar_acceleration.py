"""Polar's measurement service, its data: acceleration at 25 to 200 Hz, raw or delta-compressed.

A frame is: the measurement (1 byte), the time of its last sample (8 bytes, ns since 2000 on the sensor's own clock),
the frame type (1 byte, its top bit set where compressed), samples. Raw samples are x, y, z in 1, 2 or 3 bytes each for
types 0, 1 and 2, in mg. Compressed ones are a first sample in 16 bits an axis, then blocks of differences to the sample
before: how many bits each difference has, how many samples, and the differences one after the other, least significant
bit first, filled up to a byte. They count in units of a factor that the sensor tells when it is started: of g for type
0, of mg for type 1.

Source: Polar Measurement Data specification and the behaviour of Polar's open SDK (H10, Verity Sense, OH1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from edge_agent.sensors.profiles import polar_control
from edge_agent.sensors.profiles.cursor import Cursor
from edge_agent.sensors.profiles.polar_control import Command, Measurement, Response, Setting, Status, Stopped
from edge_agent.sensors.profiles.readings import Acceleration

SERVICE = polar_control.SERVICE
DATA = "fb005c82-02e7-f387-1cad-8acd2d8df0c8"

_COMPRESSED = 0x80
_RAW_SAMPLE_BYTES = {0: 1, 1: 2, 2: 3}
_MG_PER_COUNT = {0: 1000, 1: 1}  # of compressed frames, times the factor
_AXES = 3
_FIRST_SAMPLE_BYTES = 2  # an axis
_WIDEST_DIFFERENCE_BITS = 17  # between two numbers of 16 bits
_LARGEST_COUNT = 0x7FFF

_MPS2_PER_MG = 9.80665e-3

# Sensors sample a few percent off their nominal rate; what looks like more is a frame that was lost.
_RATE_TOLERANCE = 0.1

_LONGEST_PARAMETERS = 512  # bytes; what sensors offer has some 30, and "more" must not go on for ever

_DRIFT = 1e-4  # s per s; crystals are within 50 parts per million each

# Frames are never held up that long; the sensor's clock was set, or has begun anew.
_CLOCK_WAS_SET_S = 10.0

Sample = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class AccelerationFrame:
    """One notification.

    Attributes:
        time_ns: when its last sample was taken, on the sensor's clock, since 2000.
        mg_per_count: what samples count in, before the factor of the measurement.
        compressed: whether it was; only then the factor applies.
        samples: x, y, z, oldest first.
    """

    time_ns: int
    mg_per_count: int
    compressed: bool
    samples: tuple[Sample, ...]


def parse(data: bytes) -> AccelerationFrame:
    """Decode a frame of acceleration.

    Raises:
        MalformedPacketError: it is of another measurement or an unknown frame type, has no samples, or ends within one.
    """
    cursor = Cursor(DATA, data)
    measurement = cursor.unsigned("measurement", 1)
    if measurement != Measurement.ACCELERATION:
        cursor.refuse("measurement", f"{measurement} is not acceleration", offset=0)
    time_ns = cursor.unsigned("time", 8)
    kind = cursor.unsigned("frame type", 1)
    compressed = bool(kind & _COMPRESSED)
    kind &= ~_COMPRESSED
    if kind not in (_MG_PER_COUNT if compressed else _RAW_SAMPLE_BYTES):
        how = "compressed" if compressed else "raw"
        cursor.refuse("frame type", f"{kind}, {how}, is not known for acceleration", offset=cursor.offset - 1)
    if compressed:
        samples = _differences(cursor)
    else:
        samples = [_sample(cursor, _RAW_SAMPLE_BYTES[kind])]
        while cursor.left:
            samples.append(_sample(cursor, _RAW_SAMPLE_BYTES[kind]))
    return AccelerationFrame(time_ns, _MG_PER_COUNT[kind] if compressed else 1, compressed, tuple(samples))


def _sample(cursor: Cursor, size: int) -> Sample:
    return cursor.signed("x", size), cursor.signed("y", size), cursor.signed("z", size)


def _differences(cursor: Cursor) -> list[Sample]:
    samples = [_sample(cursor, _FIRST_SAMPLE_BYTES)]
    while cursor.left:
        width = cursor.unsigned("bits of a difference", 1)
        if not 1 <= width <= _WIDEST_DIFFERENCE_BITS:
            cursor.refuse("bits of a difference", f"{width} bits cannot be", offset=cursor.offset - 1)
        count = cursor.unsigned("number of samples", 1) * _AXES
        at = cursor.offset
        block = cursor.unsigned("differences", (count * width + 7) // 8)
        mask, sign = (1 << width) - 1, 1 << (width - 1)
        numbers = [((block >> n * width & mask) ^ sign) - sign for n in range(count)]
        for n in range(0, count, _AXES):
            x, y, z = samples[-1]
            samples.append((x + numbers[n], y + numbers[n + 1], z + numbers[n + 2]))
        if any(not -_LARGEST_COUNT - 1 <= axis <= _LARGEST_COUNT for sample in samples for axis in sample):
            cursor.refuse("differences", "they lead out of 16 bits", offset=at)
    return samples


def encode(frame: AccelerationFrame) -> bytes:
    """The frame that `parse` reads: raw with 16 bits an axis, or compressed with one block for each 255 differences."""
    head = bytes([Measurement.ACCELERATION]) + frame.time_ns.to_bytes(8, "little")
    first, *others = frame.samples
    if not frame.compressed:
        return head + b"\x01" + b"".join(map(_packed, frame.samples))
    kind = next(kind for kind, mg in _MG_PER_COUNT.items() if mg == frame.mg_per_count)
    body = head + bytes([kind | _COMPRESSED]) + _packed(first)
    for begin in range(0, len(others), 0xFF):
        block = frame.samples[begin : begin + 0x100]
        numbers = [now - before for a, b in pairwise(block) for before, now in zip(a, b, strict=True)]
        width = max(1, *(max(number, ~number).bit_length() + 1 for number in numbers))
        bits = sum((number & ((1 << width) - 1)) << n * width for n, number in enumerate(numbers))
        body += bytes([width, len(block) - 1]) + bits.to_bytes((len(numbers) * width + 7) // 8, "little")
    return body


def _packed(sample: Sample) -> bytes:
    return b"".join(axis.to_bytes(_FIRST_SAMPLE_BYTES, "little", signed=True) for axis in sample)


class State(Enum):
    """How far a sensor and we have come."""

    IDLE = auto()
    """Nothing was asked yet."""
    SETTINGS = auto()
    """We wait to hear what can be set."""
    STARTING = auto()
    """We wait for the start to be confirmed."""
    RESTARTING = auto()
    """The same, after we have stopped what ran already with settings that we do not know."""
    STREAMING = auto()
    """Frames are decoded."""
    ENDED = auto()
    """The sensor has refused or stopped; see `AccelerationStream.ended`."""


_WAITING = (State.SETTINGS, State.STARTING, State.RESTARTING)


class AccelerationStream:
    """Acceleration of one subscription: the handshake at the control point, then frames to samples in m/s².

    Subscribe to the control point and to the data, write `begin()` to the control point, and whatever `on_control`
    gives for its indications.

    Attributes:
        state: how far it has come.
        sample_rate_hz: as agreed; None before.
        ended: with which status it was refused, None where it was not.
    """

    def __init__(self, *, rate_hz: int = 50, range_g: int = 8) -> None:
        """Nothing is asked yet.

        Args:
            rate_hz: wanted; the sensor's slowest rate that is as fast is taken, or its fastest.
            range_g: wanted; the same.
        """
        self.state = State.IDLE
        self.sample_rate_hz: int | None = None
        self.ended: Status | None = None
        self._wanted = {Setting.SAMPLE_RATE_HZ: rate_hz, Setting.RANGE: range_g}
        self._parameters = b""
        self._chosen: dict[Setting, int] = {}
        self._factor = 1.0
        self._last_frame_ns: int | None = None
        self._clock = _SensorClock()

    def begin(self) -> bytes:
        """What to write to the control point first."""
        self.state, self._parameters = State.SETTINGS, b""
        return polar_control.get_settings(Measurement.ACCELERATION)

    def on_control(self, data: bytes) -> bytes | None:
        """What to write to the control point after an indication of it, None for nothing.

        Raises:
            MalformedPacketError: the indication does not follow the layout; the handshake stays where it was.
        """
        match polar_control.parse(data):
            case Response(measurement=Measurement.ACCELERATION) as response if self.state in _WAITING:
                return self._on_response(response)
            case Stopped(measurements) if Measurement.ACCELERATION in measurements:
                self.state = State.ENDED
        return None

    def _on_response(self, response: Response) -> bytes | None:
        if response.status is Status.ALREADY_IN_STATE and self.state is State.STARTING:
            self.state = State.RESTARTING
            return polar_control.stop(Measurement.ACCELERATION)
        stopped = self.state is State.RESTARTING and response.command is Command.STOP  # however that went
        if response.status is not Status.SUCCESS and not stopped:
            self.state, self.ended = State.ENDED, response.status
            return None
        parameters = self._parameters + response.parameters
        self._parameters = parameters if response.more else b""
        if len(parameters) > _LONGEST_PARAMETERS:
            self.state, self.ended, self._parameters = State.ENDED, Status.INVALID_LENGTH, b""
        return None if response.more else self._go_on(response.command, parameters)

    def _go_on(self, answered: Command, parameters: bytes) -> bytes | None:
        match self.state, answered:
            case State.SETTINGS, Command.GET_SETTINGS:
                offered = polar_control.parse_settings(parameters)
                self._chosen = {setting: self._choose(setting, values) for setting, values in offered.items() if values}
                if self._chosen.get(Setting.SAMPLE_RATE_HZ):
                    self.state = State.STARTING
                    return polar_control.start(Measurement.ACCELERATION, self._chosen)
                self.state, self.ended = State.ENDED, Status.INVALID_SAMPLE_RATE
            case State.RESTARTING, Command.STOP:
                return polar_control.start(Measurement.ACCELERATION, self._chosen)
            case ((State.STARTING | State.RESTARTING), Command.START):
                self._factor = polar_control.factor(polar_control.parse_settings(parameters))
                self.sample_rate_hz = self._chosen[Setting.SAMPLE_RATE_HZ]
                self.state = State.STREAMING
        return None

    def _choose(self, setting: Setting, offered: tuple[int, ...]) -> int:
        wanted = self._wanted.get(setting)
        enough = [value for value in offered if wanted is not None and value >= wanted]
        return min(enough) if enough else max(offered)

    def push(self, data: bytes, arrival_s: float) -> list[Acceleration]:
        """See `readings.Decoder`; nothing before the sensor has said at which rate it samples."""
        frame = parse(data)
        if self.state is not State.STREAMING or not self.sample_rate_hz:
            return []
        mps2_per_count = frame.mg_per_count * _MPS2_PER_MG * (self._factor if frame.compressed else 1)
        period_s = self._period_s(frame)
        end_s = self._clock.to_ours(frame.time_ns, arrival_s)
        count = len(frame.samples)
        return [
            Acceleration(
                at_s=tuple(end_s - (count - 1 - n) * period_s for n in range(count)),
                xyz_mps2=tuple(
                    (x * mps2_per_count, y * mps2_per_count, z * mps2_per_count) for x, y, z in frame.samples
                ),
            )
        ]

    def _period_s(self, frame: AccelerationFrame) -> float:
        """Time between two samples: from the frame before to this one, or as agreed where none came just before."""
        agreed_s = 1 / self.sample_rate_hz if self.sample_rate_hz else 0.0
        last_ns, self._last_frame_ns = self._last_frame_ns, frame.time_ns
        if last_ns is None:
            return agreed_s
        measured_s = (frame.time_ns - last_ns) / 1e9 / len(frame.samples)
        return measured_s if abs(measured_s / agreed_s - 1) < _RATE_TOLERANCE else agreed_s


class _SensorClock:
    """The sensor's clock on ours: the frame that was the least late tells how they differ.

    It is forgotten slowly, so that two clocks that drift apart are followed.
    """

    def __init__(self) -> None:
        self._ahead_s: float | None = None
        self._at_s = 0.0

    def to_ours(self, sensor_ns: int, arrival_s: float) -> float:
        """When, on our clock, it was that time on the sensor's."""
        sensor_s = sensor_ns / 1e9
        ahead_s = arrival_s - sensor_s
        if self._ahead_s is not None:
            forgotten_s = self._ahead_s + _DRIFT * max(0.0, arrival_s - self._at_s)
            if abs(ahead_s - forgotten_s) < _CLOCK_WAS_SET_S:
                ahead_s = min(ahead_s, forgotten_s)
        self._ahead_s, self._at_s = ahead_s, arrival_s
        return sensor_s + ahead_s
