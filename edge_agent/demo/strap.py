"""A virtual heart-rate strap: the GATT server of a chest strap on the virtual radio.

Services: Heart Rate 0x180D (measurement and body sensor location), Battery 0x180F, Device Information 0x180A.
"""

from __future__ import annotations

from collections.abc import Iterable

from bumble.gatt import (
    GATT_BODY_SENSOR_LOCATION_CHARACTERISTIC,
    GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
    GATT_HEART_RATE_SERVICE,
    Characteristic,
)
from bumble.link import LocalLink
from bumble.profiles.heart_rate_service import HeartRateService

from edge_agent.agent.clock import Clock
from edge_agent.demo.simulation import RR_UNITS_PER_S, StrapSecond
from edge_agent.demo.virtual_sensor import Security, VirtualSensor


class VirtualStrap(VirtualSensor):
    """A strap that somebody wears."""

    def __init__(
        self,
        link: LocalLink,
        *,
        name: str = "Heartline Virtual",
        address: str = "F0:48:4C:00:00:01",
        security: Security | None = None,
    ) -> None:
        location: Characteristic[bytes] = Characteristic(
            GATT_BODY_SENSOR_LOCATION_CHARACTERISTIC,
            Characteristic.Properties.READ,
            Characteristic.READABLE,
            bytes([HeartRateService.BodySensorLocation.CHEST]),
        )
        super().__init__(
            link,
            name=name,
            address=address,
            service=GATT_HEART_RATE_SERVICE,
            stream=GATT_HEART_RATE_MEASUREMENT_CHARACTERISTIC,
            others=[location],
            security=security,
        )

    async def play(self, seconds: Iterable[StrapSecond], *, clock: Clock) -> None:
        """Send one notification per second of `clock`, from now on and whether or not anybody listens."""
        start_s = clock.monotonic_s()
        for t_s, second in enumerate(seconds):
            await clock.sleep(start_s + t_s - clock.monotonic_s())
            await self.notify(encode(second))


def encode(second: StrapSecond) -> bytes:
    """Heart Rate Measurement 0x2A37 of one second; without contact the heart rate is 0, as straps send it."""
    return bytes(
        HeartRateService.HeartRateMeasurement(
            heart_rate=second.heart_rate_bpm or 0,
            sensor_contact_detected=second.heart_rate_bpm is not None,
            rr_intervals=[rr / RR_UNITS_PER_S for rr in second.rr_intervals] or None,
        )
    )
