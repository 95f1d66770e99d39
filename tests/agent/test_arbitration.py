"""Who counts when two sensors give the same quantity."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.agent.arbitration import RETURN_S, TAKE_OVER_S, Arbiter


def winners(arbiter: Arbiter, offers: list[tuple[float, str]]) -> list[str | None]:
    won = []
    for at_s, sensor in offers:
        arbiter.offer(sensor, at_s)
        won.append(arbiter.winner)
    return won


def test_the_first_one_counts_until_the_preferred_one_has_been_there_for_a_while() -> None:
    arbiter = Arbiter(["treadmill", "pod"])
    assert arbiter.offer("pod", 0.0)
    for t_s in range(1, 30):
        counts = arbiter.offer("treadmill", t_s)
        assert counts == (t_s - 1 >= RETURN_S)
        assert arbiter.offer("pod", t_s) != counts


def test_another_takes_over_as_soon_as_a_gap_would_come() -> None:
    arbiter = Arbiter(["treadmill", "pod"])
    arbiter.offer("treadmill", 0.0)
    assert not arbiter.offer("pod", TAKE_OVER_S)
    assert arbiter.offer("pod", TAKE_OVER_S + 0.1)


def test_a_preferred_one_that_comes_and_goes_does_not_flip_the_source() -> None:
    offers = sorted(
        [(float(t), "pod") for t in range(300)] + [(t + 0.5, "treadmill") for t in range(300) if t % 20 < 8]
    )
    arbiter = Arbiter(["treadmill", "pod"])
    won = winners(arbiter, offers)
    assert sum(before != after for before, after in pairwise(won)) == 0


def test_a_strap_off_the_body_loses_to_one_on_it_and_counts_when_it_is_the_only_one() -> None:
    arbiter = Arbiter(["first", "second"])
    arbiter.offer("first", 0.0)
    for t_s in (1.0, 2.0, 3.0):
        assert arbiter.offer("first", t_s, good=False)
        arbiter.offer("second", t_s)
    assert arbiter.offer("second", 3.5)
    assert not arbiter.offer("first", 4.0, good=False)


def test_a_sensor_that_is_forgotten_counts_no_more() -> None:
    arbiter = Arbiter(["first", "second"])
    arbiter.offer("first", 0.0)
    arbiter.order = ("second",)
    assert arbiter.offer("second", 0.5)


@given(st.lists(st.tuples(st.floats(0.0, 2.0), st.sampled_from("abc"), st.booleans()), max_size=200))
def test_one_sensor_at_a_time_counts_and_a_change_has_a_reason(steps: list[tuple[float, str, bool]]) -> None:
    arbiter, now_s = Arbiter("abc"), 0.0
    good_s = dict.fromkeys("abc", float("-inf"))
    for pause_s, sensor, good in steps:
        now_s += pause_s
        before = arbiter.winner
        counts = arbiter.offer(sensor, now_s, good=good)
        assert counts == (arbiter.winner == sensor)
        if before is not None and arbiter.winner != before:
            assert good
            assert now_s - good_s[before] > TAKE_OVER_S or sensor < before
        if good:
            good_s[sensor] = now_s
