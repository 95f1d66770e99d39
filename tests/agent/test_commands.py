"""What each command does to a session, the journal and the outbox, and when it is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge_agent.agent.session import IDLE_S
from edge_agent.store.journal import Journal
from edge_agent.store.messages import Kind
from edge_agent.sync.commands import Forget, Lap, Refusal, RefusedCommandError, SetTarget, Start, Stop, SyncNow
from tests.agent.command_bench import Bench, bench


def refusal_of(rig: Bench, command: Start | Stop | Lap | SetTarget | Forget) -> Refusal:
    before = rig.journal.outbox(), rig.journal.targets(), rig.journal.open_sessions()
    with pytest.raises(RefusedCommandError) as caught:
        rig.obey(command)
    assert (rig.journal.outbox(), rig.journal.targets(), rig.journal.open_sessions()) == before
    assert rig.journal.answer_to(command.command_id) is None
    return caught.value.refusal


def test_a_stop_ends_the_session_and_no_other_begins_before_a_start(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.beat(10)
        assert rig.ada.session is not None
        answer = rig.obey(Stop(1, rig.new_id(), rig.wire_name))
        (summary,) = rig.summaries()
        assert (answer.done, str(answer.session_id)) == (True, summary.session_id)
        assert summary.recorded_s == 9  # the last second is not over
        rig.beat(30)
        assert rig.ada.session is None
        assert rig.obey(Start(1, rig.new_id(), rig.wire_name)).done
        rig.beat(5)
        assert len(rig.journal.open_sessions()) == 1


def test_a_stop_is_over_when_the_strap_was_off_for_as_long_as_ends_a_session(tmp_path: Path) -> None:
    """So who forgets the start loses no other workout."""
    with bench(tmp_path) as rig:
        rig.beat(10)
        rig.obey(Stop(1, rig.new_id()))
        rig.beat(5)
        rig.rest(IDLE_S - 2)
        rig.beat(5)
        assert rig.ada.session is None
        rig.rest(IDLE_S)
        rig.beat(5)
        assert rig.ada.session is not None


def test_a_start_is_refused_while_there_is_a_session_and_what_needs_one_while_there_is_none(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        assert refusal_of(rig, Stop(1, rig.new_id())) is Refusal.NO_SESSION
        assert refusal_of(rig, Lap(1, rig.new_id())) is Refusal.NO_SESSION
        rig.beat(5)
        assert refusal_of(rig, Start(1, rig.new_id())) is Refusal.ALREADY_RECORDING


def test_nobody_is_known_by_a_name_that_is_not_told(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.beat(5)
        for called in ("ada", "bob", "0" * 16):
            assert refusal_of(rig, Stop(1, rig.new_id(), called)) is Refusal.UNKNOWN_ATHLETE
            assert refusal_of(rig, Forget(1, rig.new_id(), called)) is Refusal.UNKNOWN_ATHLETE
        assert rig.obey(Stop(1, rig.new_id(), rig.wire_name)).done


def test_a_lap_is_an_event_and_in_the_summary(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.beat(10)
        session = rig.obey(Lap(1, rig.new_id())).session_id
        rig.beat(10)
        rig.obey(Lap(1, rig.new_id()))
        rig.beat(5)
        rig.recorder.close()
        first, second = (event for event in rig.events() if event.name == "lap")
        assert (first.session_id, first.detail, second.detail) == (str(session), {"lap": 1}, {"lap": 2})
        assert second.t_s is not None
        assert first.t_s is not None
        assert second.t_s - first.t_s == 10
        assert rig.summaries()[0].lap_ends_s == (first.t_s, second.t_s)


def test_coming_down_to_the_target_after_an_effort_is_told_once_each_time(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.obey(SetTarget(1, rig.new_id(), 110.0))
        rig.beat(20, 112)  # no effort
        rig.beat(5, 108)
        for _ in range(2):
            rig.beat(30, 150)
            rig.beat(10, 115)
            rig.beat(10, 109)
        rig.obey(SetTarget(1, rig.new_id(), None))
        rig.beat(30, 150)
        rig.beat(10, 109)
        reached = [event.detail for event in rig.events() if event.name == "target_reached"]
        assert reached == [{"target_bpm": 110.0}] * 2


def test_a_target_outlives_the_agent(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.obey(SetTarget(1, rig.new_id(), 110.0))
    with bench(tmp_path) as rig:
        assert rig.ada.target.heart_rate_bpm == 110.0


def test_forgetting_leaves_no_row_and_a_tombstone_and_stops(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.beat(10)
        rig.recorder.close()
        rig.beat(10)
        assert rig.obey(Forget(1, rig.new_id(), rig.wire_name)).done
        rig.beat(10)
        assert [message.kind for message in rig.journal.outbox()] == [Kind.TOMBSTONE]
        assert rig.journal.athletes() == []
        assert rig.journal.open_sessions() == []
    with sqlite3.connect(tmp_path / "journal.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM second").fetchone() == (0,)


def test_sending_now_is_passed_on(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        assert rig.obey(SyncNow(1, rig.new_id())).done
        assert rig.synced == 1


def test_sessions_are_told_from_beginning_to_end_before_their_summary(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.beat(10)
        rig.rest(IDLE_S + 5)
        assert rig.happened() == ["session_started", "session_ended"]
        started, ended = rig.events()
        assert (started.t_s, ended.t_s) == (0, len(rig.journal.seconds(1)) - 1)
        assert rig.journal.outbox()[-1].kind is Kind.SUMMARY


def test_nothing_is_told_where_events_are_not_shared(tmp_path: Path) -> None:
    with bench(tmp_path, told=False) as rig:
        rig.beat(10)
        rig.obey(Lap(1, rig.new_id()))
        rig.recorder.close()
        assert [message.kind for message in rig.journal.outbox()] == [Kind.SUMMARY]
        assert rig.summaries()[0].lap_ends_s


def test_what_a_command_changes_waits_with_its_answer_while_the_disk_fails(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.beat(10)
        lap = Lap(1, rig.new_id())
        with sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(AssertionError):
                rig.obey(lap)
            assert not rig.journal.writable
            other.execute("ROLLBACK")
        rig.beat(12)
        assert rig.journal.writable
        assert rig.journal.answer_to(lap.command_id)
        rig.recorder.close()
        assert len(rig.summaries()[0].lap_ends_s) == 1
        assert rig.happened().count("lap") == 1
    Journal(tmp_path).close()
