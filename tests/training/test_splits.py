from __future__ import annotations

import dataclasses

import pytest

from edge_agent.recordings.recording import Recording
from training.dataset import Session, make_session
from training.errors import TrainingError
from training.splits import MIN_SESSIONS, by_person, by_session


@pytest.fixture(scope="module")
def sessions(recordings: list[Recording]) -> list[Session]:
    return [make_session(r) for r in recordings]


def test_no_session_has_two_uses(sessions: list[Session]) -> None:
    split = by_session(sessions)
    keys = [s.key for s in (*split.train, *split.validation, *split.scored)]
    assert sorted(keys) == sorted(s.key for s in sessions)
    assert split.train
    assert split.validation
    assert split.scored


def test_nobody_left_out_is_trained_or_validated_on(sessions: list[Session]) -> None:
    splits = list(by_person(sessions))
    assert len(splits) == 2
    for split in splits:
        out = {s.recording.person for s in split.scored}
        assert not out & {s.recording.person for s in (*split.train, *split.validation)}
    assert {s.recording.person for split in splits for s in split.scored} == {"ada", "ben"}


def test_one_person_alone_cannot_be_left_out(sessions: list[Session]) -> None:
    assert list(by_person([s for s in sessions if s.recording.person == "ada"])) == []


def test_too_few_sessions_are_refused(sessions: list[Session]) -> None:
    with pytest.raises(TrainingError, match=f"at least {MIN_SESSIONS}"):
        by_session(sessions[: MIN_SESSIONS - 1])


def test_the_only_person_of_a_source_is_left_out_where_others_can_stand_in(sessions: list[Session]) -> None:
    moved = [
        dataclasses.replace(s, recording=dataclasses.replace(s.recording, source="elsewhere"))
        if s.recording.person == "ben"
        else s
        for s in sessions
    ]
    assert [(s.name, {o.recording.person for o in s.scored}) for s in by_person(moved)] == [
        ("elsewhere, unseen people", {"ben"}),
        ("synthetic, unseen people", {"ada"}),
    ]
