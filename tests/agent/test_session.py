"""A live session: what arrives is in the journal within two seconds, however it jitters."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.agent.session import SAVE_S, WAITING_ACTIVITIES, LiveSession
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.models import RecoveryModel, WorkoutModel
from edge_agent.signals.alignment import HeartRate
from edge_agent.store.journal import Journal
from edge_agent.store.sessions import SinceBoot

ACCEPTED_WITHIN_S = 2.0

# A commit takes some milliseconds (docs/durability.md); here, one may take this long.
COMMIT_S = 0.5

# Ten times a second the loop is at something else: nothing that it does takes longer.
TICK_S = 0.1


class SetClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic_s(self) -> float:
        return self.now_s

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now_s)

    def time_trusted(self) -> bool:
        return True

    def since_boot(self) -> SinceBoot:
        return SinceBoot("boot", self.now_s)

    async def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@settings(max_examples=15, deadline=None)
@given(gaps_s=st.lists(st.floats(0.3, 2.5), min_size=1, max_size=20))
def test_a_beat_is_in_the_journal_within_two_seconds_of_its_arrival(
    gaps_s: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    clock, model, recovery_model = SetClock(), WorkoutModel(None), RecoveryModel()
    arrivals_s = [0.0]
    for gap_s in gaps_s:
        arrivals_s.append(arrivals_s[-1] + gap_s)
    with Journal(tmp_path_factory.mktemp("store")) as journal:
        session = LiveSession(journal, model, recovery_model, clock=clock, athlete="ada", first_arrival_s=0.0)
        waiting = dict(enumerate(arrivals_s))
        arrived: list[int] = []
        while waiting or arrived:
            for beat in [beat for beat, at_s in waiting.items() if at_s <= clock.now_s]:
                session.add(HeartRate(120.0, (float(beat + 1),)), waiting.pop(beat))
                arrived.append(beat)
            if session.due_s <= clock.now_s:
                session.advance()
                clock.now_s += COMMIT_S
                recorded = {rr for second in journal.seconds(1) for rr in second.rr_intervals_ms}
                late = [beat for beat in arrived if beat + 1 in recorded]
                assert all(clock.now_s - arrivals_s[beat] <= ACCEPTED_WITHIN_S for beat in late)
                arrived = [beat for beat in arrived if beat not in late]
            clock.now_s += TICK_S


def test_an_activity_is_recorded_with_the_next_second_and_those_of_a_late_burst_one_a_second(tmp_path: Path) -> None:
    clock = SetClock()
    walk, run = (CurrentActivity(label, 0.9, unknown=False, cadence_per_min=120.0) for label in ("walk", "run"))
    with Journal(tmp_path) as journal:
        session = LiveSession(
            journal, WorkoutModel(None), RecoveryModel(), clock=clock, athlete="ada", first_arrival_s=0.0
        )
        for t in range(30):
            session.add(HeartRate(120.0), float(t))
            for doing in {2: [walk], 10: [run] * 3, 15: [run] * 2 * WAITING_ACTIVITIES}.get(t, ()):
                session.add_activity(doing)
            clock.now_s = t + 0.5
            session.advance()
        recorded = {second.t_s: second.activity for second in journal.seconds(1) if second.activity}
        summary = session.close(enqueue=False)
    assert recorded == {2: walk} | dict.fromkeys((*range(10, 13), *range(15, 15 + WAITING_ACTIVITIES)), run)
    assert summary is not None
    assert summary.activity_s == {"run": 5 * (3 + WAITING_ACTIVITIES), "walk": 5}


def test_a_crash_costs_no_more_of_what_was_learned_than_the_minutes_since_it_was_kept(tmp_path: Path) -> None:
    clock, model = SetClock(), WorkoutModel(tmp_path)
    with Journal(tmp_path) as journal:
        session = LiveSession(journal, model, RecoveryModel(), clock=clock, athlete="ada", first_arrival_s=0.0)
        learned = {}
        for t in range(2 * SAVE_S + 100):
            session.add(HeartRate(110.0 + 30 * (t % 120 < 60), ()), float(t))
            clock.now_s = float(t) + 0.5
            session.advance()
            if t + 1 == 2 * SAVE_S:
                learned = model.athletes.state("ada").numbers()
        # The plug is pulled here: nobody closes the session.
        afterwards = WorkoutModel(tmp_path).athletes.state("ada").numbers()
        assert learned["weights"].any()
        for name, array in learned.items():
            assert afterwards[name] == pytest.approx(array, rel=1e-4, abs=1e-3), name
        assert not WorkoutModel(tmp_path).athletes.state("bob").heads.weights.any()
