"""The ladder that a stuck adapter is brought down from."""

from __future__ import annotations

from itertools import pairwise

from edge_agent.sensors.links.recovery import FIRST_REST_S, LONGEST_REST_S, STEP_S, RecoveryLadder, Rung


def climbed(
    ladder: RecoveryLadder, begin_s: float, end_s: float, *, links_up: bool = False
) -> list[tuple[float, Rung]]:
    found, now_s = [], begin_s
    while now_s < end_s:
        rung = ladder.trouble(now_s, links_up=links_up)
        if rung is not None:
            found.append((now_s, rung))
        now_s += 1.0
    return found


def test_it_is_climbed_from_the_mildest_to_the_last_within_a_minute() -> None:
    rungs = climbed(RecoveryLadder(), 0.0, 60.0)
    assert [rung for _, rung in rungs] == list(Rung)
    assert rungs[-1][0] <= 4 * STEP_S


def test_a_sign_of_life_ends_it() -> None:
    ladder = RecoveryLadder()
    assert [rung for _, rung in climbed(ladder, 0.0, 15.0)] == [Rung.RESTART_SCAN, Rung.REMOVE_STALE]
    ladder.healthy()
    assert ladder.trouble(20.0, links_up=False) is Rung.RESTART_SCAN


def test_sensors_that_are_connected_are_not_cut_off_for_one_that_is_not() -> None:
    ladder = RecoveryLadder()
    assert [rung for _, rung in climbed(ladder, 0.0, 600.0, links_up=True)] == [Rung.RESTART_SCAN, Rung.REMOVE_STALE]
    assert ladder.trouble(601.0, links_up=False) is Rung.POWER_CYCLE


def test_in_a_place_without_any_bluetooth_it_is_climbed_ever_less_often() -> None:
    told = [at_s for at_s, rung in climbed(RecoveryLadder(), 0.0, 86_400.0) if rung is Rung.TELL_USER]
    pauses_s = [after - before for before, after in pairwise(told)]
    assert pauses_s[0] >= FIRST_REST_S
    assert all(LONGEST_REST_S <= pause_s <= LONGEST_REST_S + 60 for pause_s in pauses_s[3:])
