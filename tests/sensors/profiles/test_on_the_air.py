"""Every profile from a virtual sensor's encoder through bumble's radio and bleak into its decoder."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from bleak import BleakClient

from edge_agent.demo.strap import VirtualStrap
from edge_agent.sensors.profiles import (
    battery,
    cycling_power,
    cycling_speed_cadence,
    device_information,
    fitness_machine,
    heart_rate,
    polar_acceleration,
    polar_control,
    running_speed_cadence,
)
from edge_agent.sensors.profiles.cycling_power import CyclingPower
from edge_agent.sensors.profiles.cycling_speed_cadence import CyclingSpeedCadence
from edge_agent.sensors.profiles.fitness_machine import CrossTrainerData, IndoorBikeData, RowerData, TreadmillData
from edge_agent.sensors.profiles.heart_rate import HeartRateMeasurement
from edge_agent.sensors.profiles.polar_acceleration import AccelerationStream, Sample, State
from edge_agent.sensors.profiles.polar_control import Features, Measurement
from edge_agent.sensors.profiles.readings import Acceleration, Quantity, Reading
from edge_agent.sensors.profiles.registry import new_decoder, parse_characteristic
from edge_agent.sensors.profiles.revolutions import Revolutions
from edge_agent.sensors.profiles.running_speed_cadence import RunningSpeedCadence
from tests.demo.virtual_room import room, until
from tests.sensors.profiles.virtual_services import VirtualServices

_Q = Quantity
_WHEELS = [Revolutions((0xFFFFFFF0 + 5 * n) & 0xFFFFFFFF, 1024 * n) for n in range(4)]
_CRANKS = [Revolutions((0xFFFE + 3 * n) & 0xFFFF, 2048 * n) for n in range(4)]

# What is sent, and what is read of it, last value of each quantity.
STREAMS = {
    fitness_machine.TREADMILL: (
        [
            fitness_machine.encode(TreadmillData(speed_mps=2.5, grade=0.01 * n, elevation_gain_m=0.5 * n))
            for n in range(4)
        ],
        {_Q.SPEED: 2.5, _Q.GRADE: 0.03, _Q.ELEVATION_GAIN: 1.5, _Q.ELEVATION_LOSS: 0.0},
    ),
    fitness_machine.CROSS_TRAINER: (
        [fitness_machine.encode(CrossTrainerData(speed_mps=2.5, step_rate_spm=120 + n, power_w=150)) for n in range(4)],
        {_Q.SPEED: 2.5, _Q.STEP_RATE: 123.0, _Q.POWER: 150.0},
    ),
    fitness_machine.ROWER: (
        [
            fitness_machine.encode(RowerData(more_data=True, total_distance_m=90, pace_s_per_500m=125)),
            fitness_machine.encode(RowerData(stroke_rate_spm=24.5, stroke_count=30, power_w=180)),
        ],
        {_Q.SPEED: 4.0, _Q.DISTANCE: 90.0, _Q.STROKE_RATE: 24.5, _Q.POWER: 180.0},
    ),
    fitness_machine.INDOOR_BIKE: (
        [fitness_machine.encode(IndoorBikeData(speed_mps=10.0, cadence_rpm=90.5, power_w=-5, heart_rate_bpm=140))],
        {_Q.SPEED: 10.0, _Q.CADENCE: 90.5, _Q.POWER: -5.0, _Q.HEART_RATE: 140.0},
    ),
    cycling_speed_cadence.MEASUREMENT: (
        [
            cycling_speed_cadence.encode(CyclingSpeedCadence(wheel, crank))
            for wheel, crank in zip(_WHEELS, _CRANKS, strict=True)
        ],
        {_Q.SPEED: 5 * 2.105, _Q.DISTANCE: 15 * 2.105, _Q.CADENCE: 90.0},
    ),
    cycling_power.MEASUREMENT: (
        [
            cycling_power.encode(CyclingPower(250 + n, wheel=wheel, crank=crank, accumulated_energy_kj=n))
            for n, (wheel, crank) in enumerate(zip(_WHEELS, _CRANKS, strict=True))
        ],
        {_Q.POWER: 253.0, _Q.WORK: 3.0, _Q.SPEED: 10 * 2.105, _Q.DISTANCE: 15 * 2.105, _Q.CADENCE: 90.0},
    ),
    running_speed_cadence.MEASUREMENT: (
        [running_speed_cadence.encode(RunningSpeedCadence(3.0, 170, 2.11, 10.0 + n, running=True)) for n in range(4)],
        {_Q.SPEED: 3.0, _Q.STEP_RATE: 170.0, _Q.STRIDE_LENGTH: 2.11, _Q.DISTANCE: 13.0},
    ),
}


@asynccontextmanager
async def sensor() -> AsyncIterator[tuple[VirtualStrap, VirtualServices, BleakClient]]:
    """A strap that has the services of all profiles, and a client that is connected to it."""
    services: list[VirtualServices] = []
    async with (
        room(prepare=lambda strap: services.append(VirtualServices(strap.device))) as (strap,),
        BleakClient(strap.address, timeout=5) as client,
    ):
        yield strap, services[0], client


async def test_every_stream_arrives_as_the_readings_that_were_meant() -> None:
    async with sensor() as (strap, services, client):
        received = {uuid: await _subscribe(client, uuid) for uuid in (*STREAMS, heart_rate.MEASUREMENT)}
        for uuid, (packets, _) in STREAMS.items():
            await services.send(uuid, packets)
        await strap.notify(heart_rate.encode(HeartRateMeasurement(140, True, 12, (500.0, 1000.0))))
        await until(lambda: received[heart_rate.MEASUREMENT])

        assert {uuid: _last(received[uuid]) for uuid in STREAMS} == {
            uuid: pytest.approx(expected) for uuid, (_, expected) in STREAMS.items()
        }
        assert received[heart_rate.MEASUREMENT] == [
            (_Q.SENSOR_CONTACT, 1.0), (_Q.HEART_RATE, 140.0), (_Q.RR_INTERVAL, 500.0), (_Q.RR_INTERVAL, 1000.0),
            (_Q.ENERGY_EXPENDED, 12.0),
        ]  # fmt: skip


async def test_battery_maker_and_place_are_read() -> None:
    async with sensor() as (_, _, client):
        read = {
            uuid: parse_characteristic(uuid, bytes(await client.read_gatt_char(uuid)))
            for uuid in (battery.LEVEL, device_information.MANUFACTURER_NAME, heart_rate.BODY_SENSOR_LOCATION)
        }
        assert list(read.values()) == [
            battery.BatteryLevel(87),
            device_information.Text("Heartline"),
            heart_rate.BodySensorLocation(heart_rate.Location.CHEST),
        ]


async def _subscribe(client: BleakClient, uuid: str) -> list[tuple[Quantity, float]]:
    """What a characteristic's decoder reads from now on."""
    decoder, read = new_decoder(uuid), list[tuple[Quantity, float]]()

    def take(_: object, data: bytearray) -> None:
        readings = decoder.push(bytes(data), time.monotonic())
        read.extend((reading.quantity, reading.value) for reading in readings if isinstance(reading, Reading))

    await client.start_notify(uuid, take)
    return read


def _last(read: list[tuple[Quantity, float]]) -> dict[Quantity, float]:
    return dict(read)


async def stream_acceleration(client: BleakClient, stream: AccelerationStream, into: list[Acceleration]) -> None:
    """Subscribe, and go through the handshake until the stream runs or has ended."""
    writes: asyncio.Queue[bytes] = asyncio.Queue()

    def on_control(_: object, data: bytearray) -> None:
        if command := stream.on_control(bytes(data)):
            writes.put_nowait(command)

    def on_data(_: object, data: bytearray) -> None:
        into.extend(stream.push(bytes(data), time.monotonic()))

    await client.start_notify(polar_control.CONTROL_POINT, on_control)
    await client.start_notify(polar_acceleration.DATA, on_data)
    writes.put_nowait(stream.begin())
    async with asyncio.timeout(5):
        while stream.state not in (State.STREAMING, State.ENDED):
            try:
                async with asyncio.timeout(0.05):
                    command = await writes.get()
            except TimeoutError:
                continue
            await client.write_gatt_char(polar_control.CONTROL_POINT, command, response=True)


def shaking(count: int, *, rate_hz: int) -> list[Sample]:
    """1 g along z, and 3 Hz of .5 g along x, in mg."""
    return [(round(500 * math.sin(2 * math.pi * 3 * n / rate_hz)), -n % 7, 1000) for n in range(count)]


@pytest.mark.parametrize("factor", [None, 0.5], ids=["raw, as a strap", "compressed, as an armband"])
async def test_acceleration_at_200_hz_is_asked_for_and_arrives_whole(factor: float | None) -> None:
    rate_hz, per_frame = 200, 36
    sent = shaking(6 * per_frame, rate_hz=rate_hz)
    async with sensor() as (_, services, client):
        assert polar_control.parse(bytes(await client.read_gatt_char(polar_control.CONTROL_POINT))) == Features(
            (Measurement.ECG, Measurement.ACCELERATION)
        )
        services.polar.factor = factor
        playing = asyncio.create_task(services.polar.play(sent, rate_hz=rate_hz, per_frame=per_frame))
        stream, blocks = AccelerationStream(rate_hz=rate_hz), list[Acceleration]()
        began_s = time.monotonic()
        await stream_acceleration(client, stream, blocks)
        assert stream.sample_rate_hz == rate_hz
        await playing
        await until(lambda: len(blocks) == 6)

        mps2_per_count = 9.80665e-3 * (factor or 1)
        assert [sample for block in blocks for sample in block.xyz_mps2] == [
            pytest.approx([axis * mps2_per_count for axis in sample]) for sample in sent
        ]
        spacings_s = [later - earlier for block in blocks for earlier, later in pairwise(block.at_s)]
        assert spacings_s == [pytest.approx(1 / rate_hz)] * 6 * (per_frame - 1)
        assert began_s - per_frame / rate_hz < blocks[0].at_s[0]
        assert blocks[-1].at_s[-1] <= time.monotonic()
        assert services.polar.commands == [
            bytes.fromhex("0102"),
            bytes.fromhex("0202 0001c800 01011000 02010800"),
        ]


async def test_acceleration_that_streams_already_is_stopped_and_started_anew() -> None:
    async with sensor() as (_, services, client):
        services.polar.running = True
        stream = AccelerationStream(rate_hz=50)
        await stream_acceleration(client, stream, [])
        assert (stream.state, stream.sample_rate_hz) == (State.STREAMING, 50)
        assert [command[0] for command in services.polar.commands] == [1, 2, 3, 2]
