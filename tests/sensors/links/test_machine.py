"""When a sensor is tried: the state machine, under any order of events."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge_agent.sensors.links.machine import BACK_OFF, BOND_FAILURES, SIGHTING_S, STABLE_S, SensorMachine
from edge_agent.sensors.links.states import ADVICE, Cause, LinkState


def machine(*, bonded: bool = False) -> SensorMachine:
    return SensorMachine(Random(1), bonded=bonded)  # noqa: S311 - of pauses


def linked(now_s: float, *, bonded: bool = False) -> SensorMachine:
    made = machine(bonded=bonded)
    made.seen(now_s)
    made.attempt()
    made.connected(now_s)
    return made


def test_a_sensor_is_connected_to_when_it_is_heard_and_not_before() -> None:
    sensor = machine()
    assert not sensor.due(0.0)
    sensor.seen(1.0)
    assert sensor.due(1.0)
    assert not sensor.due(1.0 + SIGHTING_S + 0.1)


def test_after_a_good_link_it_is_taken_at_once_when_it_is_heard_again() -> None:
    sensor = linked(0.0)
    assert sensor.ended(Cause.LINK_LOST, 100.0) is Cause.LINK_LOST
    assert sensor.state is LinkState.SEARCHING
    assert not sensor.due(100.0)
    sensor.seen(100.1)
    assert sensor.due(100.1)


def test_pauses_grow_with_failures_in_a_row_up_to_a_limit_and_are_not_all_alike() -> None:
    sensor, now_s, pauses_s = machine(), 0.0, []
    for _ in range(12):
        sensor.seen(now_s)
        sensor.attempt()
        sensor.ended(Cause.NO_ANSWER, now_s)
        pauses_s.append(sensor.not_before_s - now_s)
        now_s = sensor.not_before_s
    limit = BACK_OFF[Cause.NO_ANSWER]
    assert pauses_s[0] <= limit.first_s
    assert limit.most_s / 2 <= max(pauses_s) <= limit.most_s
    assert len({round(pause_s, 6) for pause_s in pauses_s}) == len(pauses_s)


def test_a_link_that_ends_at_once_was_no_good_link() -> None:
    assert linked(0.0).ended(Cause.LINK_LOST, STABLE_S / 2) is Cause.HUNG_UP


def test_a_link_that_brought_a_frame_was_worth_having_however_short_it_was() -> None:
    sensor = linked(0.0, bonded=True)
    for attempt in range(2 * BOND_FAILURES):
        sensor.connected(float(attempt))
        sensor.carried()
        assert sensor.ended(Cause.LINK_LOST, attempt + 0.4) is Cause.LINK_LOST
        sensor.seen(attempt + 0.5)
        assert sensor.due(attempt + 0.5)
    sensor.connected(100.0)
    assert sensor.ended(Cause.LINK_LOST, 100.4) is Cause.HUNG_UP


def test_a_bonded_sensor_that_hangs_up_again_and_again_has_lost_its_bond() -> None:
    sensor = machine(bonded=True)
    causes = []
    for attempt in range(BOND_FAILURES):
        sensor.seen(100.0 * attempt)
        sensor.attempt()
        causes.append(sensor.ended(Cause.HUNG_UP, 100.0 * attempt))
    assert causes == [Cause.HUNG_UP] * (BOND_FAILURES - 1) + [Cause.BOND_LOST]
    assert sensor.state is LinkState.NEEDS_USER


@pytest.mark.parametrize("cause", sorted(ADVICE))
def test_what_only_its_user_can_mend_is_not_tried_until_he_has(cause: Cause) -> None:
    sensor = machine()
    sensor.seen(0.0)
    sensor.attempt()
    sensor.ended(cause, 0.0)
    sensor.seen(1e6)
    assert not sensor.due(1e6)
    assert not sensor.wants_scan()
    sensor.start_over()
    sensor.seen(1e6)
    assert sensor.due(1e6)


def test_every_cause_either_has_a_pause_or_an_advice() -> None:
    assert set(BACK_OFF) | set(ADVICE) == set(Cause)
    assert not set(BACK_OFF) & set(ADVICE)


class AnyOrder(RuleBasedStateMachine):
    """A caller that does what it may, whenever it may."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.bonded = True
        self.machine = SensorMachine(Random(7), bonded=True)  # noqa: S311 - of pauses
        self.last_attempt_s = -1e9

    @rule(seconds=st.floats(0.0, 120.0))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def it_is_heard(self) -> None:
        if self.machine.wants_scan():
            self.machine.seen(self.now_s)

    @precondition(lambda self: self.machine.due(self.now_s))
    @rule(cause=st.none() | st.sampled_from(sorted(Cause)))
    def an_attempt_is_made(self, cause: Cause | None) -> None:
        self.machine.attempt()
        if cause is None:
            self.machine.connected(self.now_s)
        else:
            self.machine.ended(cause, self.now_s)

    @precondition(lambda self: self.machine.state is LinkState.CONNECTED)
    @rule(cause=st.sampled_from([Cause.LINK_LOST, Cause.SILENT]))
    def the_link_ends(self, cause: Cause) -> None:
        self.machine.ended(cause, self.now_s)

    @precondition(lambda self: self.machine.state is LinkState.NEEDS_USER)
    @rule()
    def its_user_pairs_again(self) -> None:
        self.machine.start_over()

    @invariant()
    def a_pause_is_never_longer_than_its_limit(self) -> None:
        longest_s = max(back_off.most_s for back_off in BACK_OFF.values())
        assert self.machine.not_before_s - self.now_s <= longest_s

    @invariant()
    def it_is_due_only_while_it_is_looked_for(self) -> None:
        if self.machine.due(self.now_s):
            assert self.machine.state in {LinkState.SEARCHING, LinkState.WAITING}
            assert self.now_s >= self.machine.not_before_s

    @invariant()
    def heard_often_enough_it_is_due_unless_its_user_is_needed_or_it_is_linked(self) -> None:
        later_s = max(self.now_s, self.machine.not_before_s)
        if self.machine.state in {LinkState.SEARCHING, LinkState.WAITING}:
            seen_s = self.machine._seen_s  # noqa: SLF001 - to leave it as it was
            self.machine.seen(later_s)
            assert self.machine.due(later_s)
            self.machine._seen_s = seen_s  # noqa: SLF001


TestAnyOrder = AnyOrder.TestCase
