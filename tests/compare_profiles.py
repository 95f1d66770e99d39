"""Read random packets with other people's parsers too, and print where they differ: `make compare-profiles`.

bluetooth-sig is made from the Bluetooth SIG's own machine-readable tables, pycycling is written for bicycle trainers,
and polar-python follows Polar's SDK.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

from bluetooth_sig.gatt.characteristics import (
    cross_trainer_data,
    csc_measurement,
    cycling_power_measurement,
    heart_rate_measurement,
    indoor_bike_data,
    rower_data,
    rsc_measurement,
    treadmill_data,
)
from polar_python.parsers.polar import parse_polar_data
from pycycling import cycling_power_service, cycling_speed_cadence_service, heart_rate_service
from pycycling.ftms_parsers.indoor_bike_data import parse_indoor_bike_data

from edge_agent.errors import MalformedPacketError
from edge_agent.sensors.profiles import (
    cycling_power,
    cycling_speed_cadence,
    fitness_machine,
    heart_rate,
    polar_acceleration,
    running_speed_cadence,
)

_PACKETS = 20_000
_LONGEST = 60
_TOLERANCE = 1e-9

_KMH_PER_MPS, _PERCENT = 3.6, 100
_NS_FROM_1970_TO_2000 = 946_684_800 * 10**9

# Our attribute, a dot before an attribute of it, to theirs and to how many of their units make one of ours.
Names = Mapping[str, tuple[str, float]]

_ENERGY: Names = {
    "total_energy_kcal": ("total_energy", 1),
    "energy_per_hour_kcal": ("energy_per_hour", 1),
    "energy_per_minute_kcal": ("energy_per_minute", 1),
    "heart_rate_bpm": ("heart_rate", 1),
    "metabolic_equivalent": ("metabolic_equivalent", 1),
    "elapsed_time_s": ("elapsed_time", 1),
    "remaining_time_s": ("remaining_time", 1),
}
_SPEED: Names = {
    "speed_mps": ("instantaneous_speed", _KMH_PER_MPS),
    "average_speed_mps": ("average_speed", _KMH_PER_MPS),
    "total_distance_m": ("total_distance", 1),
}
_ELEVATION: Names = {
    "elevation_gain_m": ("positive_elevation_gain", 1),
    "elevation_loss_m": ("negative_elevation_gain", 1),
    "grade": ("inclination", _PERCENT),
}
_POWER: Names = {
    "power_w": ("instantaneous_power", 1),
    "average_power_w": ("average_power", 1),
    "resistance_level": ("resistance_level", 10),
}
_PACE: Names = {
    "pace_s_per_500m": ("instantaneous_pace", 1),
    "average_pace_s_per_500m": ("average_pace", 1),
}
_SIG_REVOLUTIONS: Names = {
    "crank.count": ("cumulative_crank_revolutions", 1),
    "crank.event_time": ("last_crank_event_time", 1 / 1024),
    "wheel.count": ("cumulative_wheel_revolutions", 1),
}
_PYCYCLING_REVOLUTIONS: Names = {
    "crank.count": ("cumulative_crank_revs", 1),
    "crank.event_time": ("last_crank_event_time", 1),
    "wheel.count": ("cumulative_wheel_revs", 1),
    "wheel.event_time": ("last_wheel_event_time", 1),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two parsers of one characteristic.

    Attributes:
        oracle: whose the other one is.
        name: of the characteristic.
        flags: bytes of flags, and which of their bits are defined.
        ours: our parser.
        theirs: the other one.
        fields: what is compared.
        longer: flags whose field is a byte longer with them than the shortest that we read.
    """

    oracle: str
    name: str
    flags: tuple[int, int]
    ours: Callable[[bytes], object]
    theirs: Callable[[bytes], object]
    fields: Names
    longer: int = 0


def _sig(characteristic: type[Any]) -> Callable[[bytes], object]:
    parser = characteristic()
    return lambda data: parser.parse_value(bytearray(data))


_sig_comparison = partial(Comparison, "bluetooth-sig")
COMPARISONS = [
    _sig_comparison(
        "Heart Rate Measurement",
        (1, 0x1F),
        heart_rate.parse,
        _sig(heart_rate_measurement.HeartRateMeasurementCharacteristic),
        {"heart_rate_bpm": ("heart_rate", 1), "energy_expended_kj": ("energy_expended", 1)},
    ),
    _sig_comparison(
        "CSC Measurement",
        (1, 0x03),
        cycling_speed_cadence.parse,
        _sig(csc_measurement.CSCMeasurementCharacteristic),
        {**_SIG_REVOLUTIONS, "wheel.event_time": ("last_wheel_event_time", 1 / 1024)},
    ),
    _sig_comparison(
        "RSC Measurement",
        (1, 0x07),
        running_speed_cadence.parse,
        _sig(rsc_measurement.RSCMeasurementCharacteristic),
        {
            "speed_mps": ("instantaneous_speed", 1),
            "cadence_per_min": ("instantaneous_cadence", 1),
            "stride_length_m": ("instantaneous_stride_length", 1),
            "total_distance_m": ("total_distance", 1),
            "running": ("is_running", 1),
        },
    ),
    _sig_comparison(
        "Cycling Power Measurement",
        (2, 0x1FFF),
        cycling_power.parse,
        _sig(cycling_power_measurement.CyclingPowerMeasurementCharacteristic),
        {
            **_SIG_REVOLUTIONS,
            "wheel.event_time": ("last_wheel_event_time", 1 / 2048),
            "power_w": ("instantaneous_power", 1),
            "balance_percent": ("pedal_power_balance", 1),
            "accumulated_torque_nm": ("accumulated_torque", 1),
            "force_n.largest": ("maximum_force_magnitude", 1),
            "force_n.smallest": ("minimum_force_magnitude", 1),
            "torque_nm.largest": ("maximum_torque_magnitude", 1),
            "torque_nm.smallest": ("minimum_torque_magnitude", 1),
            "angle_deg.largest": ("maximum_angle", 1),
            "angle_deg.smallest": ("minimum_angle", 1),
            "top_dead_spot_deg": ("top_dead_spot_angle", 1),
            "bottom_dead_spot_deg": ("bottom_dead_spot_angle", 1),
            "accumulated_energy_kj": ("accumulated_energy", 1),
        },
    ),
    _sig_comparison(
        "Treadmill Data",
        (2, 0x1FFF),
        fitness_machine.parse_treadmill,
        _sig(treadmill_data.TreadmillDataCharacteristic),
        {
            **_SPEED,
            **_ELEVATION,
            **_PACE,
            **_ENERGY,
            "ramp_angle_deg": ("ramp_angle_setting", 1),
            "force_on_belt_n": ("force_on_belt", 1),
            "power_w": ("power_output", 1),
        },
        longer=0x0060,
    ),
    _sig_comparison(
        "Cross Trainer Data",
        (3, 0xFFFF),
        fitness_machine.parse_cross_trainer,
        _sig(cross_trainer_data.CrossTrainerDataCharacteristic),
        {
            **_SPEED,
            **_ELEVATION,
            **_POWER,
            **_ENERGY,
            "ramp_angle_deg": ("ramp_setting", 1),
            "step_rate_spm": ("steps_per_minute", 1),
            "average_step_rate_spm": ("average_step_rate", 1),
            "stride_count": ("stride_count", 1),
            "backward": ("movement_direction_backward", 1),
        },
    ),
    _sig_comparison(
        "Rower Data",
        (2, 0x1FFF),
        fitness_machine.parse_rower,
        _sig(rower_data.RowerDataCharacteristic),
        {
            **_PACE,
            **_POWER,
            **_ENERGY,
            "stroke_rate_spm": ("stroke_rate", 1),
            "stroke_count": ("stroke_count", 1),
            "average_stroke_rate_spm": ("average_stroke_rate", 1),
            "total_distance_m": ("total_distance", 1),
        },
    ),
    _sig_comparison(
        "Indoor Bike Data",
        (2, 0x1FFF),
        fitness_machine.parse_indoor_bike,
        _sig(indoor_bike_data.IndoorBikeDataCharacteristic),
        {
            **_SPEED,
            **_POWER,
            **_ENERGY,
            "cadence_rpm": ("instantaneous_cadence", 1),
            "average_cadence_rpm": ("average_cadence", 1),
        },
    ),
    Comparison(
        "pycycling",
        "Heart Rate Measurement",
        (1, 0x1F),
        heart_rate.parse,
        heart_rate_service._parse_hr_measurement,  # noqa: SLF001 - it has no public name
        {"heart_rate_bpm": ("bpm", 1), "energy_expended_kj": ("energy_expended", 1)},
    ),
    Comparison(
        "pycycling",
        "CSC Measurement",
        (1, 0x03),
        cycling_speed_cadence.parse,
        cycling_speed_cadence_service._parse_csc_measurement,  # noqa: SLF001
        _PYCYCLING_REVOLUTIONS,
    ),
    Comparison(
        "pycycling",
        "Cycling Power Measurement",
        (2, 0x1FFF),
        cycling_power.parse,
        cycling_power_service._parse_cycling_power_measurement,  # noqa: SLF001
        {
            **_PYCYCLING_REVOLUTIONS,
            "power_w": ("instantaneous_power", 1),
            "balance_percent": ("pedal_power_balance", 2),
            "accumulated_torque_nm": ("accumulated_torque", 32),
            "top_dead_spot_deg": ("top_dead_spot_angle", 1),
            "bottom_dead_spot_deg": ("bottom_dead_spot_angle", 1),
            "accumulated_energy_kj": ("accumulated_energy", 1),
        },
    ),
    Comparison(
        "pycycling",
        "Indoor Bike Data",
        (2, 0x1FFF),
        fitness_machine.parse_indoor_bike,
        parse_indoor_bike_data,
        {
            **_ENERGY,
            **_POWER,
            "speed_mps": ("instant_speed", _KMH_PER_MPS),
            "average_speed_mps": ("average_speed", _KMH_PER_MPS),
            "cadence_rpm": ("instant_cadence", 1),
            "average_cadence_rpm": ("average_cadence", 1),
            "total_distance_m": ("total_distance", 1),
            "power_w": ("instant_power", 1),
            "resistance_level": ("resistance_level", 1),
        },
        longer=0x0020,
    ),
]


def packet(chance: random.Random, comparison: Comparison) -> bytes:
    """Random flags, and behind them as many random bytes as they ask for."""
    size, defined = comparison.flags
    flags = chance.getrandbits(8 * size) & defined
    head = flags.to_bytes(size, "little")
    body = chance.randbytes(_LONGEST)
    for length in range(_LONGEST):
        try:
            comparison.ours(head + body[:length])
        except MalformedPacketError:
            continue
        return head + body[: length + (flags & comparison.longer).bit_count()]
    raise AssertionError(comparison.name)


def differences(comparison: Comparison, data: bytes) -> list[str]:
    """Names of the fields that are not read alike; "refused" where only we read the packet."""
    try:
        ours = comparison.ours(data)
    except MalformedPacketError:
        return []
    try:
        theirs = comparison.theirs(data)
    except Exception as error:  # noqa: BLE001 - whatever it may raise
        return [f"refused by it ({type(error).__name__})"]
    return [
        name
        for name, (their_name, units) in comparison.fields.items()
        if not _alike(_value(ours, name), getattr(theirs, their_name), units)
    ]


def _value(read: object, name: str) -> Any:  # noqa: ANN401 - a number of any kind, or None
    for part in name.split("."):
        read = getattr(read, part, None)
    return read


def _alike(ours: float | None, theirs: float | None, units: float) -> bool:
    if ours is None or theirs is None:
        return ours is theirs
    return abs(float(ours) * units - float(theirs)) <= _TOLERANCE * max(1.0, abs(float(theirs)))


def compare_acceleration(chance: random.Random) -> Counter[str]:
    """Compressed frames of random samples, read by polar-python."""
    found: Counter[str] = Counter()
    for _ in range(_PACKETS // 10):
        spread = chance.choice((3, 300, 30_000))
        samples = tuple(
            (chance.randint(-spread, spread), chance.randint(-spread, spread), chance.randint(-spread, spread))
            for _ in range(chance.randint(1, 60))
        )
        frame = polar_acceleration.AccelerationFrame(chance.getrandbits(60), 1, chance.random() < 1 / 2, samples)
        theirs: Any = parse_polar_data(bytearray(polar_acceleration.encode(frame)), lambda _: 1.0)
        found["samples"] += [tuple(sample) for sample in theirs.data] != list(samples)
        found["time_ns"] += theirs.timestamp != frame.time_ns + _NS_FROM_1970_TO_2000
    return +found


def main() -> None:
    """Compare all of them."""
    chance = random.Random(1)  # noqa: S311 - packets, not secrets
    print("| parser | characteristic | packets | read differently |\n|---|---|--:|---|")
    for comparison in COMPARISONS:
        found: Counter[str] = Counter()
        for _ in range(_PACKETS):
            found.update(differences(comparison, packet(chance, comparison)))
        _print_row(comparison.oracle, comparison.name, _PACKETS, found)
    _print_row("polar-python", "Polar acceleration", _PACKETS // 10, compare_acceleration(chance))
    print("\n" + ", ".join(f"{name} {version(name)}" for name in ("bluetooth-sig", "pycycling", "polar-python")))


def _print_row(oracle: str, name: str, packets: int, found: Counter[str]) -> None:
    differing = ", ".join(f"{field} {count:,}" for field, count in found.most_common()) or "none"
    print(f"| {oracle} | {name} | {packets:,} | {differing} |")


if __name__ == "__main__":
    main()
