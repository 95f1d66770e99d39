from __future__ import annotations

from bleak import BleakClient
from bumble.profiles.heart_rate_service import HeartRateService
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.demo.simulation import MAX_RR_PER_PACKET, RR_UNITS_PER_S, StrapSecond, interval_workout, simulate
from edge_agent.demo.strap import encode
from edge_agent.sensors.profiles import heart_rate
from tests.demo.test_bleak_bumble import MEASUREMENT
from tests.demo.virtual_room import StepClock, room, until

strap_seconds = st.builds(
    StrapSecond,
    st.none() | st.integers(1, 300),
    st.lists(st.integers(1, 0xFFFF), max_size=MAX_RR_PER_PACKET).map(tuple),
)


def test_packets_are_laid_out_as_the_specification_says() -> None:
    assert encode(StrapSecond(72)).hex() == "0648"  # contact supported and detected
    assert encode(StrapSecond(None)).hex() == "0400"  # contact supported, none
    assert encode(StrapSecond(72, (850, 860))).hex() == "164852035c03"
    assert encode(StrapSecond(300, (1024,))).hex() == "172c010004"  # 16-bit heart rate


@given(strap_seconds)
def test_two_parsers_read_from_a_packet_what_was_put_in(second: StrapSecond) -> None:
    packet = encode(second)
    ours = heart_rate.parse(packet)
    assert ours.heart_rate_bpm == (second.heart_rate_bpm or 0)
    assert ours.sensor_contact is (second.heart_rate_bpm is not None)
    assert ours.energy_expended_kj is None
    assert ours.rr_intervals_ms == tuple(rr * 1000 / RR_UNITS_PER_S for rr in second.rr_intervals)

    bumbles = HeartRateService.HeartRateMeasurement.from_bytes(packet)
    assert bumbles.heart_rate == ours.heart_rate_bpm
    assert bumbles.sensor_contact_detected == ours.sensor_contact
    assert tuple(rr * RR_UNITS_PER_S for rr in bumbles.rr_intervals or ()) == second.rr_intervals


def test_simulated_packets_fit_the_smallest_att_mtu() -> None:
    assert max(len(encode(second)) for second in simulate(interval_workout(900), seed=1)) <= 20


async def test_plays_one_notification_per_second_of_its_clock() -> None:
    seconds = list(simulate(interval_workout(30), seed=1))
    async with room() as (strap,), BleakClient(strap.address, timeout=3) as client:
        received: list[bytes] = []
        await client.start_notify(MEASUREMENT, lambda _, data: received.append(bytes(data)))
        await strap.wait_for_subscriber()
        clock = StepClock()
        await strap.play(seconds, clock=clock)
        await until(lambda: len(received) == len(seconds))

    assert received == [encode(second) for second in seconds]
    assert clock.monotonic_s() == 29


async def test_plays_on_while_nobody_listens() -> None:
    async with room() as (strap,):
        clock = StepClock()
        await strap.play([StrapSecond(60)] * 5, clock=clock)
        assert not strap.subscribed
        assert clock.monotonic_s() == 4
