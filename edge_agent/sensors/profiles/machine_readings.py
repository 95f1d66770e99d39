"""Data of fitness machines to readings: records put together again, and their fields in our quantities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Generic, TypeVar

from edge_agent.sensors.profiles.fitness_machine import MachineData
from edge_agent.sensors.profiles.readings import Quantity, Reading

_KJ_PER_KCAL = 4.184  # the thermochemical calorie, which physiology tables use

_NO_HEART_RATES = (0, 0xFF)  # what machines send that see none; the specification has no such value

_PACE_DISTANCE_M = 500

_QUANTITIES = {
    "heart_rate_bpm": Quantity.HEART_RATE,
    "speed_mps": Quantity.SPEED,
    "total_distance_m": Quantity.DISTANCE,
    "cadence_rpm": Quantity.CADENCE,
    "step_rate_spm": Quantity.STEP_RATE,
    "stroke_rate_spm": Quantity.STROKE_RATE,
    "power_w": Quantity.POWER,
    "grade": Quantity.GRADE,
    "elevation_gain_m": Quantity.ELEVATION_GAIN,
    "elevation_loss_m": Quantity.ELEVATION_LOSS,
}

_Data = TypeVar("_Data", bound=MachineData)


class RecordAssembler(Generic[_Data]):
    """Notifications to whole records (Fitness Machine Service 1.0.1, section 4.19).

    All notifications of a record but the last have "more data" set. Where one was lost, or a machine never clears the
    bit, the record ends before the first notification that repeats a field.
    """

    def __init__(self) -> None:
        self._begun: _Data | None = None

    def push(self, part: _Data) -> list[_Data]:
        """Records that end with this notification, or before it."""
        ended = []
        if self._begun and _present(self._begun) & _present(part):
            ended.append(self._begun)
            self._begun = None
        record = (
            part
            if self._begun is None
            else replace(part, **{n: getattr(self._begun, n) for n in _present(self._begun)})
        )
        self._begun = record if part.more_data else None
        return ended if part.more_data else [*ended, record]


def _present(data: MachineData) -> set[str]:
    """Names of the fields that were sent; flags are not among them."""
    named = {field.name: getattr(data, field.name) for field in fields(data)}
    return {name for name, value in named.items() if value is not None and not isinstance(value, bool)}


def readings(record: MachineData, arrival_s: float) -> Iterator[Reading]:
    """What a record says; averages and what a machine was set to are left out."""
    if record.total_energy_kcal is not None:
        yield Reading(Quantity.ENERGY_EXPENDED, record.total_energy_kcal * _KJ_PER_KCAL, arrival_s)
    pace_s = getattr(record, "pace_s_per_500m", None)
    if pace_s and getattr(record, "speed_mps", None) is None:  # a rower has no other
        yield Reading(Quantity.SPEED, _PACE_DISTANCE_M / pace_s, arrival_s)
    for name, quantity in _QUANTITIES.items():
        value = getattr(record, name, None)
        if value is not None and not (quantity is Quantity.HEART_RATE and value in _NO_HEART_RATES):
            yield Reading(quantity, float(value), arrival_s)


class MachineDecoder(Generic[_Data]):
    """Notifications of one machine to readings."""

    def __init__(self, parse: Callable[[bytes], _Data]) -> None:
        self._parse = parse
        self._records: RecordAssembler[_Data] = RecordAssembler()

    def push(self, data: bytes, arrival_s: float) -> list[Reading]:
        """See `readings.Decoder`."""
        records = self._records.push(self._parse(data))
        return [reading for record in records for reading in readings(record, arrival_s)]
