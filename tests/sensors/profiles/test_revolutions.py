"""From counters that roll over, restart and stand still to a rate."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sensors.profiles.revolutions import STOPPED_AFTER_S, RevolutionRate, Revolutions, Turn

UNITS_PER_S = 1024


def crank() -> RevolutionRate:
    return RevolutionRate(count_bits=16, units_per_s=UNITS_PER_S, fastest_per_s=5.0)


def wheel() -> RevolutionRate:
    return RevolutionRate(count_bits=32, units_per_s=2048, fastest_per_s=20.0)


def test_the_first_packet_measures_nothing() -> None:
    assert crank().push(Revolutions(1000, 0), 0.0) == Turn(0, None)


def test_two_events_measure_the_rate_between_them() -> None:
    rate = crank()
    rate.push(Revolutions(10, 1024), 0.0)
    assert rate.push(Revolutions(13, 3072), 2.1) == Turn(3, 1.5)


def test_both_counters_may_roll_over() -> None:
    rate = crank()
    rate.push(Revolutions(0xFFFF, 0xFE00), 0.0)
    assert rate.push(Revolutions(1, 0x0200), 1.0) == Turn(2, 2.0)
    rate = wheel()
    rate.push(Revolutions(0xFFFFFFFE, 0xFC00), 0.0)
    assert rate.push(Revolutions(2, 0x0400), 1.0) == Turn(4, 4.0)


def test_a_wheel_that_stands_is_at_0_after_three_seconds_and_not_before() -> None:
    rate = crank()
    rate.push(Revolutions(10, 0), 0.0)
    assert rate.push(Revolutions(11, 1024), 1.0) == Turn(1, 1.0)
    standing = [rate.push(Revolutions(11, 1024), 1.0 + t_s).per_s for t_s in (1.0, 2.0, 3.0, 4.0)]
    assert standing == [None, None, 0.0, 0.0]


def test_the_event_that_ends_a_stop_measures_no_rate_but_counts() -> None:
    rate = crank()
    rate.push(Revolutions(10, 0), 0.0)
    assert rate.push(Revolutions(10, 0), 5.0) == Turn(0, 0.0)
    assert rate.push(Revolutions(12, 6 * 1024), 6.0) == Turn(2, None)
    assert rate.push(Revolutions(13, 7 * 1024), 7.0) == Turn(1, 1.0)


def test_after_a_stop_longer_than_the_event_time_can_tell_the_rate_begins_anew() -> None:
    rate = crank()
    rate.push(Revolutions(10, 0), 0.0)
    assert rate.push(Revolutions(11, 1024), 70.0) == Turn(1, None)
    assert rate.push(Revolutions(12, 2048), 71.0) == Turn(1, 1.0)


def test_a_sensor_that_restarts_counts_from_there() -> None:
    rate = crank()
    rate.push(Revolutions(5000, 40000), 0.0)
    assert rate.push(Revolutions(0, 0), 1.0) == Turn(0, None)
    assert rate.push(Revolutions(1, 1024), 2.0) == Turn(1, 1.0)


def test_a_wheel_that_is_pushed_backwards_adds_nothing() -> None:
    rate = wheel()
    rate.push(Revolutions(100, 0), 0.0)
    assert rate.push(Revolutions(99, 2048), 1.0) == Turn(0, None)


def test_an_event_time_that_runs_ahead_of_the_clock_is_another_count() -> None:
    rate = crank()
    rate.push(Revolutions(10, 0), 0.0)
    assert rate.push(Revolutions(11, 20 * 1024), 1.0) == Turn(0, None)


def test_packets_that_were_held_up_and_come_at_once_measure_as_if_they_had_come_in_time() -> None:
    rate = crank()
    turns = [rate.push(Revolutions(n, n * 1024), 5.0) for n in range(6)]
    assert [turn.per_s for turn in turns] == [None, 1.0, 1.0, 1.0, 1.0, 1.0]


@given(
    st.lists(st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 0xFFFF), st.floats(0, 1e6)), min_size=1, max_size=30)
)
def test_no_sequence_of_packets_is_faster_than_anybody_rides(packets: list[tuple[int, int, float]]) -> None:
    for rate, fastest_per_s in ((crank(), 5.0), (wheel(), 20.0)):
        for count, event_time, arrival_s in packets:
            turn = rate.push(Revolutions(count, event_time), arrival_s)
            assert turn.revolutions >= 0
            assert turn.per_s is None or 0 <= turn.per_s <= fastest_per_s


@given(
    first=st.integers(0, 0xFFFF),
    begun_s=st.floats(0, 64),
    ticks=st.lists(st.integers(300, 2900), min_size=2, max_size=60),
)
def test_a_crank_that_turns_is_never_lost_nor_said_to_stand(first: int, begun_s: float, ticks: list[int]) -> None:
    """One packet for each revolution, of .3 to 2.8 s."""
    rate, count, now = crank(), first, int(begun_s * UNITS_PER_S)
    for n, tick in enumerate([0, *ticks]):
        now += tick
        turn = rate.push(Revolutions((count + n) & 0xFFFF, now & 0xFFFF), now / UNITS_PER_S)
        assert turn == (Turn(0, None) if n == 0 else Turn(1, UNITS_PER_S / tick))
    assert STOPPED_AFTER_S > 2900 / UNITS_PER_S
