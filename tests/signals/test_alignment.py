"""Measurements that arrive at any time become one frame per second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sensors.profiles.heart_rate import HeartRateMeasurement, readings
from edge_agent.sensors.profiles.readings import Acceleration, Quantity, Reading
from edge_agent.signals.alignment import HOLD_S, HeartRate, SecondGrid, heart_rate_of, load_of
from edge_agent.signals.frame import Frame


def beat(heart_rate_bpm: int, *, contact: bool | None = True, rr_ms: tuple[float, ...] = ()) -> HeartRate:
    return heart_rate_of(list(readings(HeartRateMeasurement(heart_rate_bpm, contact, 3, rr_ms), 0.0)))


def frames(arrivals: list[tuple[float, HeartRate]], seconds: int) -> list[Frame]:
    grid = SecondGrid(arrivals[0][0])
    for arrival_s, heart_rate in arrivals:
        grid.add(heart_rate, arrival_s)
    return [grid.next_frame() for _ in range(seconds)]


def rates(played: list[Frame]) -> list[float | None]:
    return [frame.heart_rate_bpm for frame in played]


def test_one_notification_a_second_is_one_frame_each() -> None:
    played = frames([(100.0 + i, beat(60 + i)) for i in range(5)], 5)
    assert rates(played) == [60, 61, 62, 63, 64]
    assert [frame.t_s for frame in played] == [0, 1, 2, 3, 4]


@given(st.lists(st.floats(-0.45, 0.45), min_size=5, max_size=40))
def test_jitter_of_almost_half_a_second_neither_loses_nor_repeats_a_second(jitter_s: list[float]) -> None:
    arrivals = [(7.0, beat(60))] + [(8.0 + i + j, beat(61 + i)) for i, j in enumerate(jitter_s)]
    assert rates(frames(arrivals, len(arrivals))) == [60 + i for i in range(len(arrivals))]


def test_the_last_of_several_in_a_second_counts_and_no_rr_interval_is_lost() -> None:
    (frame,) = frames([(0.0, beat(60, rr_ms=(990.0,))), (0.3, beat(64, rr_ms=(950.0, 940.0)))], 1)
    assert frame == Frame(0, 64.0, (990.0, 950.0, 940.0))


def test_a_missed_notification_is_bridged_and_a_longer_silence_is_a_gap() -> None:
    played = frames([(0.0, beat(60)), (10.0, beat(70))], 11)
    held = [f.t_s for f in played if f.heart_rate_bpm == 60]
    assert held == [0, 1, 2]
    assert max(held) + 0.5 < HOLD_S  # the last one was that old when its second was over
    assert [f.t_s for f in played if f.heart_rate_bpm is None] == list(range(3, 10))
    assert played[10].heart_rate_bpm == 70


def test_a_strap_that_left_the_body_has_no_heart_rate_at_once() -> None:
    assert rates(frames([(0.0, beat(60)), (1.0, beat(60, contact=False))], 3)) == [60, None, None]


def test_a_heart_rate_no_heart_has_is_none() -> None:
    assert rates(frames([(0.0, beat(60)), (1.0, beat(0)), (2.0, beat(24)), (3.0, beat(251))], 4)) == [60] + [None] * 3


def test_contact_that_cannot_be_told_is_no_reason_for_doubt() -> None:
    assert rates(frames([(0.0, beat(60, contact=None))], 1)) == [60]


def loads(arrivals: list[tuple[float, Quantity, float]], seconds: int) -> list[Frame]:
    grid = SecondGrid(0.0)
    for at_s, quantity, value in arrivals:
        load = load_of(Reading(quantity, value, at_s))
        assert load is not None
        grid.add_load(load)
    return [grid.next_frame() for _ in range(seconds)]


def test_loads_that_come_several_times_a_second_are_averaged() -> None:
    first, second = loads([(t / 4, Quantity.POWER, 200.0 + t) for t in range(6)], 2)
    assert first.power_w == 200.5  # of the two in the half second before the grid's first edge
    assert second.power_w == 203.5


def test_a_load_is_bridged_like_a_heart_rate_and_then_missing() -> None:
    played = loads([(0.0, Quantity.SPEED, 3.0)], 6)
    assert [frame.speed_mps for frame in played] == [3.0, 3.0, 3.0, None, None, None]


def test_steps_of_both_feet_are_twice_the_cadence() -> None:
    assert loads([(0.0, Quantity.STEP_RATE, 172.0)], 1)[0].cadence_rpm == 86.0


def test_a_machines_grade_becomes_an_altitude_while_it_moves() -> None:
    both = [(float(t), q, v) for t in range(3) for q, v in ((Quantity.SPEED, 2.0), (Quantity.GRADE, 0.75))]
    assert [frame.altitude_m for frame in loads(both, 3)] == pytest.approx([1.2, 2.4, 3.6])
    assert loads([(0.0, Quantity.GRADE, 0.05)], 1)[0].altitude_m is None


def test_what_no_frame_holds_is_no_load() -> None:
    assert load_of(Reading(Quantity.DISTANCE, 1.0, 0.0)) is None
    assert load_of(Acceleration((0.0,), ((0.0, 0.0, 9.8),))) is None
    assert heart_rate_of([Acceleration((0.0,), ((0.0, 0.0, 9.8),))]) == HeartRate(None)
