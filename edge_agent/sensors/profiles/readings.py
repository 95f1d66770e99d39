"""What sensors measure, apart from how they say it: quantities, and readings of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Quantity(StrEnum):
    """What a reading is of; its value carries the unit."""

    HEART_RATE = "heart_rate_bpm"
    RR_INTERVAL = "rr_interval_ms"
    """Beat to beat; several may come at once, oldest first."""
    SENSOR_CONTACT = "sensor_contact"
    """1 when the sensor touches skin, 0 when it does not; never read where the sensor cannot tell."""
    ENERGY_EXPENDED = "energy_expended_kj"
    """What the athlete has burnt, by the sensor's estimate; since its last reset or the start of its session."""
    BATTERY = "battery_percent"
    SPEED = "speed_mps"
    DISTANCE = "distance_m"
    """Total, since the sensor's session began, or since the subscription where it is counted from wheel revolutions."""
    CADENCE = "cadence_rpm"
    """Of cranks."""
    STEP_RATE = "step_rate_spm"
    """Steps, of both feet together, per minute."""
    STROKE_RATE = "stroke_rate_spm"
    """Strokes of a rower per minute."""
    STRIDE_LENGTH = "stride_length_m"
    """From one contact of a foot to the next of the same foot: two steps."""
    POWER = "power_w"
    WORK = "work_kj"
    """Mechanical, at the pedals; since the sensor's last reset."""
    GRADE = "grade"
    """Rise over run as a fraction, uphill positive."""
    ELEVATION_GAIN = "elevation_gain_m"
    ELEVATION_LOSS = "elevation_loss_m"
    ACCELERATION = "acceleration_mps2"


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of one quantity.

    Attributes:
        quantity: what it is of.
        value: in the unit that the quantity names.
        at_s: when its packet arrived, on the clock of whoever received it.
    """

    quantity: Quantity
    value: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Acceleration:
    """The samples of one packet.

    Attributes:
        at_s: when each was taken, on the clock of whoever received the packet; as many as `xyz_mps2`, ascending.
        xyz_mps2: acceleration along the sensor's own axes, gravity included.
    """

    at_s: tuple[float, ...]
    xyz_mps2: tuple[tuple[float, float, float], ...]


class Decoder(Protocol):
    """Packets of one characteristic of one sensor to readings; holds what must be kept from one packet to the next.

    One for each subscription: after a reconnection counters may have begun anew.
    """

    def push(self, data: bytes, arrival_s: float) -> Sequence[Reading | Acceleration]:
        """What a packet says.

        Args:
            data: value of the characteristic.
            arrival_s: when it came, on a monotonic clock.

        Returns:
            readings in the order in which they were measured; none where the packet says nothing new.

        Raises:
            MalformedPacketError: the bytes do not follow the layout. The decoder can go on with the next packet.
        """
        ...  # pragma: no cover


class ControlledDecoder(Decoder, Protocol):
    """A decoder whose sensor must be asked, at a control point, before it streams."""

    def begin(self) -> bytes:
        """What to write to the control point first, when it and the characteristic are subscribed to."""
        ...  # pragma: no cover

    def on_control(self, data: bytes) -> bytes | None:
        """What to write to the control point after one of its indications, None for nothing.

        Raises:
            MalformedPacketError: the indication does not follow the layout.
        """
        ...  # pragma: no cover
