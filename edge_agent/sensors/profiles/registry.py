"""The profiles by UUID: what can be decoded, and what a sensor with a service measures.

- `CHARACTERISTICS` maps a characteristic's UUID (128 bits, lower case, as bleak writes it) to its name, its parser, the
  quantities it carries and, where it is streamed, what makes a decoder for one subscription.
- `SERVICES` maps a service's UUID to the kind of sensor that has it and to the characteristics to subscribe to.
- `new_decoder(uuid)` gives a `Decoder`, whose `push(data, arrival_s)` gives `Reading`s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Generic, TypeVar

from edge_agent.errors import UnknownCharacteristicError
from edge_agent.sensors.profiles import (
    battery,
    cycling_power,
    cycling_speed_cadence,
    device_information,
    fitness_machine,
    fitness_machine_feature,
    heart_rate,
    polar_acceleration,
    polar_control,
    running_speed_cadence,
)
from edge_agent.sensors.profiles.machine_readings import MachineDecoder
from edge_agent.sensors.profiles.readings import Decoder, Quantity, Reading
from edge_agent.sensors.profiles.uuids import normalized, shortest

# A 700x25C road wheel, the commonest on the bicycles that such sensors are on, and what most bike computers begin with.
WHEEL_CIRCUMFERENCE_M = 2.105

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One that can be decoded.

    Attributes:
        name: as the specification calls it.
        parse: its value's bytes to a value object; raises `MalformedPacketError` and nothing else.
        quantities: what its decoder's readings may be of; empty where there is none.
        decoder: makes the decoder of one subscription from the wheel's circumference in m; None where it is only read.
        control_point: UUID of the characteristic that must be asked before it streams; its decoder is then a
            `ControlledDecoder`, which says how.
    """

    name: str
    parse: Callable[[bytes], object]
    quantities: frozenset[Quantity] = frozenset()
    decoder: Callable[[float], Decoder] | None = None
    control_point: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """One that a sensor is recognised by.

    Attributes:
        name: what such a sensor is called.
        streams: characteristics to subscribe to; a sensor may have only some of them.
    """

    name: str
    streams: tuple[str, ...]


class _Stateless(Generic[_Value]):
    """A decoder where each packet stands for itself."""

    def __init__(
        self, parse: Callable[[bytes], _Value], readings: Callable[[_Value, float], Iterable[Reading]]
    ) -> None:
        self._parse = parse
        self._readings = readings

    def push(self, data: bytes, arrival_s: float) -> list[Reading]:
        return list(self._readings(self._parse(data), arrival_s))


def _text(uuid: str, name: str) -> tuple[str, Characteristic]:
    return uuid, Characteristic(name, partial(device_information.parse_text, uuid))


_Q = Quantity
_MACHINE = frozenset({_Q.DISTANCE, _Q.POWER, _Q.ENERGY_EXPENDED, _Q.HEART_RATE})

CHARACTERISTICS: Mapping[str, Characteristic] = MappingProxyType(
    {
        heart_rate.MEASUREMENT: Characteristic(
            "Heart Rate Measurement",
            heart_rate.parse,
            frozenset({_Q.HEART_RATE, _Q.RR_INTERVAL, _Q.SENSOR_CONTACT, _Q.ENERGY_EXPENDED}),
            lambda _: _Stateless(heart_rate.parse, heart_rate.readings),
        ),
        heart_rate.BODY_SENSOR_LOCATION: Characteristic("Body Sensor Location", heart_rate.parse_location),
        heart_rate.CONTROL_POINT: Characteristic("Heart Rate Control Point", heart_rate.parse_control_point),
        battery.LEVEL: Characteristic(
            "Battery Level",
            battery.parse,
            frozenset({_Q.BATTERY}),
            lambda _: _Stateless(battery.parse, battery.readings),
        ),
        device_information.SYSTEM_ID: Characteristic("System ID", device_information.parse_system_id),
        **dict(
            [
                _text(device_information.MODEL_NUMBER, "Model Number String"),
                _text(device_information.SERIAL_NUMBER, "Serial Number String"),
                _text(device_information.FIRMWARE_REVISION, "Firmware Revision String"),
                _text(device_information.HARDWARE_REVISION, "Hardware Revision String"),
                _text(device_information.SOFTWARE_REVISION, "Software Revision String"),
                _text(device_information.MANUFACTURER_NAME, "Manufacturer Name String"),
            ]
        ),
        device_information.PNP_ID: Characteristic("PnP ID", device_information.parse_pnp_id),
        cycling_speed_cadence.MEASUREMENT: Characteristic(
            "CSC Measurement",
            cycling_speed_cadence.parse,
            frozenset({_Q.SPEED, _Q.DISTANCE, _Q.CADENCE}),
            cycling_speed_cadence.CyclingSpeedCadenceDecoder,
        ),
        cycling_speed_cadence.FEATURE: Characteristic("CSC Feature", cycling_speed_cadence.parse_feature),
        cycling_power.MEASUREMENT: Characteristic(
            "Cycling Power Measurement",
            cycling_power.parse,
            frozenset({_Q.POWER, _Q.WORK, _Q.SPEED, _Q.DISTANCE, _Q.CADENCE}),
            cycling_power.CyclingPowerDecoder,
        ),
        cycling_power.FEATURE: Characteristic("Cycling Power Feature", cycling_power.parse_feature),
        running_speed_cadence.MEASUREMENT: Characteristic(
            "RSC Measurement",
            running_speed_cadence.parse,
            frozenset({_Q.SPEED, _Q.STEP_RATE, _Q.STRIDE_LENGTH, _Q.DISTANCE}),
            lambda _: _Stateless(running_speed_cadence.parse, running_speed_cadence.readings),
        ),
        running_speed_cadence.FEATURE: Characteristic("RSC Feature", running_speed_cadence.parse_feature),
        fitness_machine.TREADMILL: Characteristic(
            "Treadmill Data",
            fitness_machine.parse_treadmill,
            _MACHINE | {_Q.SPEED, _Q.GRADE, _Q.ELEVATION_GAIN, _Q.ELEVATION_LOSS},
            lambda _: MachineDecoder(fitness_machine.parse_treadmill),
        ),
        fitness_machine.CROSS_TRAINER: Characteristic(
            "Cross Trainer Data",
            fitness_machine.parse_cross_trainer,
            _MACHINE | {_Q.SPEED, _Q.STEP_RATE, _Q.GRADE, _Q.ELEVATION_GAIN, _Q.ELEVATION_LOSS},
            lambda _: MachineDecoder(fitness_machine.parse_cross_trainer),
        ),
        fitness_machine.ROWER: Characteristic(
            "Rower Data",
            fitness_machine.parse_rower,
            _MACHINE | {_Q.SPEED, _Q.STROKE_RATE},
            lambda _: MachineDecoder(fitness_machine.parse_rower),
        ),
        fitness_machine.INDOOR_BIKE: Characteristic(
            "Indoor Bike Data",
            fitness_machine.parse_indoor_bike,
            _MACHINE | {_Q.SPEED, _Q.CADENCE},
            lambda _: MachineDecoder(fitness_machine.parse_indoor_bike),
        ),
        fitness_machine_feature.FEATURE: Characteristic("Fitness Machine Feature", fitness_machine_feature.parse),
        polar_control.CONTROL_POINT: Characteristic("Polar Measurement Control Point", polar_control.parse),
        polar_acceleration.DATA: Characteristic(
            "Polar Measurement Data",
            polar_acceleration.parse,
            frozenset({_Q.ACCELERATION}),
            lambda _: polar_acceleration.AccelerationStream(),
            control_point=polar_control.CONTROL_POINT,
        ),
    }
)

SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        heart_rate.SERVICE: Service("heart rate", (heart_rate.MEASUREMENT,)),
        battery.SERVICE: Service("battery", (battery.LEVEL,)),
        cycling_speed_cadence.SERVICE: Service("cycling speed and cadence", (cycling_speed_cadence.MEASUREMENT,)),
        cycling_power.SERVICE: Service("cycling power", (cycling_power.MEASUREMENT,)),
        running_speed_cadence.SERVICE: Service("running speed and cadence", (running_speed_cadence.MEASUREMENT,)),
        fitness_machine.SERVICE: Service(
            "fitness machine",
            (
                fitness_machine.TREADMILL,
                fitness_machine.CROSS_TRAINER,
                fitness_machine.ROWER,
                fitness_machine.INDOOR_BIKE,
            ),
        ),
        polar_control.SERVICE: Service("acceleration", (polar_acceleration.DATA,)),
    }
)


def parse_characteristic(uuid: str, data: bytes) -> object:
    """Decode a characteristic.

    Args:
        uuid: its assigned number in hex, `2a37` or `0x2A37`, or all of its UUID.
        data: its value.

    Raises:
        UnknownCharacteristicError: none that is known here.
        MalformedPacketError: the bytes do not follow its layout.
    """
    try:
        known = CHARACTERISTICS[normalized(uuid)]
    except (KeyError, ValueError):
        names = {shortest(known): characteristic.name for known, characteristic in CHARACTERISTICS.items()}
        raise UnknownCharacteristicError(uuid, names) from None
    return known.parse(data)


def new_decoder(uuid: str, *, wheel_circumference_m: float = WHEEL_CIRCUMFERENCE_M) -> Decoder:
    """What decodes one subscription.

    Args:
        uuid: of a characteristic that is streamed, as `CHARACTERISTICS` has it.
        wheel_circumference_m: for the sensors that count wheel revolutions.

    Raises:
        UnknownCharacteristicError: it is not among them, or not streamed.
    """
    streamed = {known: made.decoder for known, made in CHARACTERISTICS.items() if made.decoder}
    if uuid not in streamed:
        names = {shortest(known): CHARACTERISTICS[known].name for known in streamed}
        raise UnknownCharacteristicError(uuid, names)
    return streamed[uuid](wheel_circumference_m)
