"""What a command changes and the answer to it are kept in one transaction, and no id that was obeyed is ever new."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.store import commands, forget
from edge_agent.store.database import FILE_NAME
from edge_agent.store.identifiers import unix_ms_of, uuid7
from edge_agent.store.journal import Journal
from edge_agent.store.messages import Kind
from tests.store.samples import STARTED_AT, new_session, second, summarised
from tests.store.test_forget import NAME, record, traces


def command_id(minute: int) -> uuid.UUID:
    return uuid7(STARTED_AT + timedelta(minutes=minute))


def test_an_answer_outlives_the_agent_and_the_first_one_stays(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        assert journal.answer_to(command_id(0)) is None
        journal.keep_answer(first := command_id(1), b'{"done":true}')
    with Journal(tmp_path) as journal:
        journal.keep_answer(first, b'{"done":false}')
        assert journal.answer_to(first) == b'{"done":true}'


def test_of_too_many_commands_the_earliest_goes_and_is_known_as_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "MAX_COMMANDS", 3)
    ids = [command_id(minute) for minute in (1, 5, 2, 3, 4)]
    with Journal(tmp_path) as journal:
        for number in ids:
            journal.keep_answer(number, b"{}")
        assert [number for number in ids if journal.answer_to(number)] == [ids[1], ids[3], ids[4]]
        assert [number for number in ids if journal.may_be_dropped(number)] == [ids[0], ids[2]]
        assert journal.may_be_dropped(command_id(0))
        assert not journal.may_be_dropped(command_id(6))


def test_what_belongs_together_is_all_there_or_not_at_all(tmp_path: Path) -> None:
    class StumbleError(Exception):
        pass

    number = command_id(1)

    def change(journal: Journal, *, stumble: bool) -> None:
        with journal.together():
            journal.mark_lap(session, 0)
            journal.set_target("ada", 120.0)
            journal.close_session(session, interrupted=False, enqueue=True)
            journal.keep_answer(number, b"{}")
            assert journal.targets() == {}
            if stumble:
                raise StumbleError

    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        with pytest.raises(StumbleError):
            change(journal, stumble=True)
        assert (journal.targets(), journal.open_sessions(), journal.answer_to(number)) == ({}, [session], None)
        told: list[bool] = []
        journal.when_queued(lambda: told.append(True))
        change(journal, stumble=False)
        assert (journal.targets(), journal.open_sessions()) == ({"ada": 120.0}, [])
        assert journal.answer_to(number) == b"{}"
        assert [message.kind for message in journal.outbox()] == [Kind.SUMMARY]
        assert told == [True]
        with journal.together():
            journal.open_session(new_session(), [second(0)])
        assert told == [True]  # a second is nothing for the broker


def test_laps_are_in_the_summary(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(t_s) for t_s in range(100)])
        for t_s in (30, 60, 60):
            journal.mark_lap(session, t_s)
        assert summarised(journal, session).lap_ends_s == (30, 60)


def test_a_target_holds_until_it_is_set_anew_or_the_athlete_is_forgotten(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for name, bpm in (("ada", 120.0), ("grace", 110.0), ("ada", 115.0), ("grace", None)):
            journal.set_target(name, bpm)
        assert journal.targets() == {"ada": 115.0}
        journal.forget_athlete("ada", STARTED_AT, time_trusted=True)
        assert journal.targets() == {}


def test_bytes_of_a_forgotten_athlete_that_could_not_be_deleted_go_with_the_next_start(tmp_path: Path) -> None:
    """As after a kill between the transaction that deletes the rows and the writing anew of the file."""
    with Journal(tmp_path) as journal:
        record(journal, NAME, enqueue=False)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        db.execute("PRAGMA secure_delete=OFF")
        db.execute("PRAGMA foreign_keys=ON")
        forget.delete_athlete(db, NAME, STARTED_AT, time_trusted=True)
        db.commit()
    assert traces(tmp_path)
    Journal(tmp_path).close()
    assert traces(tmp_path) == set()


def test_an_id_tells_when_it_was_made_where_it_is_of_version_7() -> None:
    assert unix_ms_of(uuid7(STARTED_AT)) == STARTED_AT.timestamp() * 1000
    assert unix_ms_of(uuid.uuid4()) is None
