from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.recordings.recording import Recording
from training.dataset import Session, make_session
from training.errors import TrainingError
from training.personal.split import MIN_SESSIONS, by_time, in_time_order

START = datetime(2024, 5, 1, 6, tzinfo=UTC)


@pytest.fixture(scope="module")
def sessions(recordings: list[Recording]) -> list[Session]:
    return [make_session(r) for r in recordings]


def at(session: Session, started_at: datetime | None) -> Session:
    return dataclasses.replace(session, recording=dataclasses.replace(session.recording, started_at=started_at))


@given(days=st.permutations(range(10)))
def test_sessions_are_put_in_the_order_they_were_made_in(sessions: list[Session], days: list[int]) -> None:
    shuffled = [at(s, START + timedelta(days=day)) for s, day in zip(sessions, days, strict=False)]
    ordered, left_out = in_time_order(shuffled)
    starts = [s.recording.started_at for s in ordered]
    assert starts == [START + timedelta(days=day) for day in range(10)]
    assert left_out == []


def test_without_times_the_names_say_the_order(sessions: list[Session]) -> None:
    ordered, left_out = in_time_order(sessions[:10][::-1])
    assert [s.recording.session for s in ordered] == [f"s{i:02}" for i in range(10)]
    assert left_out == []


def test_an_activity_exported_twice_counts_once(sessions: list[Session]) -> None:
    twice = [at(s, START + timedelta(hours=i)) for i, s in enumerate(sessions[:10])]
    twice += [at(s, START + timedelta(hours=i, seconds=2)) for i, s in enumerate(sessions[10:])]
    ordered, left_out = in_time_order(twice)
    assert [s.key for s in ordered] == [s.key for s in twice[:10]]
    assert [s.key for s in left_out] == [s.key for s in twice[10:]]


def test_times_for_some_sessions_alone_give_no_order(sessions: list[Session]) -> None:
    with pytest.raises(TrainingError, match=r"9 of 10 sessions do not say when.*give those apart"):
        in_time_order([at(sessions[0], START), *sessions[1:10]])


@pytest.mark.parametrize("count", [MIN_SESSIONS, 10, 20])
def test_the_past_trains_and_the_future_is_scored(sessions: list[Session], count: int) -> None:
    split = by_time(sessions[:count])
    assert [s.key for s in (*split.train, *split.validation, *split.scored)] == [s.key for s in sessions[:count]]
    assert len(split.train) > len(split.validation) + len(split.scored)
    assert split.validation
    assert split.scored


def test_too_few_sessions_are_refused(sessions: list[Session]) -> None:
    with pytest.raises(TrainingError, match=f"5 sessions are too few.*at least {MIN_SESSIONS}"):
        by_time(sessions[:5])


def test_last_sessions_in_which_nothing_can_be_scored_are_refused(sessions: list[Session]) -> None:
    short = dataclasses.replace(sessions[9], scored=np.zeros_like(sessions[9].scored))
    with pytest.raises(TrainingError, match="no three minutes of heart rate"):
        by_time([*sessions[:8], short, short])
