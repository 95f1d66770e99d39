"""What is kept, and what goes first: sent before unsent, old before new, by the order of recording."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

import pytest

from edge_agent.store.journal import Journal
from edge_agent.store.retention import Retention
from tests.store.samples import STARTED_AT, new_session, second, summarised

NOW = STARTED_AT + timedelta(days=100)


def record(journal: Journal, *, sent: bool, time_trusted: bool = True, seconds: int = 1) -> int:
    session = journal.open_session(new_session(time_trusted=time_trusted), [second(t_s) for t_s in range(seconds)])
    summarised(journal, session)
    if sent:
        journal.acknowledge(journal.outbox()[-1].id)
    return session


def kept(journal: Journal) -> list[int]:
    return [session for session in range(1, 20) if journal.seconds(session)]


def test_by_default_everything_is_kept(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        record(journal, sent=True)
        assert journal.retire(Retention(), NOW) == 0
        assert kept(journal) == [1]


def test_a_sent_session_goes_when_it_is_too_old(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Journal(tmp_path) as journal:
        record(journal, sent=True)
        assert journal.retire(Retention(keep_days=101), NOW) == 0
        assert journal.retire(Retention(keep_days=99), NOW) == 1
        assert kept(journal) == []
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_an_unsent_session_stays_until_it_may_go_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(tmp_path) as journal:
        record(journal, sent=False)
        assert journal.retire(Retention(keep_days=1, keep_mb=0.0001), NOW) == 0
        assert (kept(journal), len(journal.outbox())) == ([1], 1)
        assert "set `delete_unsent = true`" in caplog.text
        assert journal.retire(Retention(keep_days=1, delete_unsent=True), NOW) == 1
        assert (kept(journal), journal.outbox()) == ([], [])


def test_without_a_trusted_time_nothing_is_too_old(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        record(journal, sent=True)
        record(journal, sent=True, time_trusted=False)
        assert journal.retire(Retention(keep_days=1), None) == 0
        assert journal.retire(Retention(keep_days=1), NOW) == 1
        assert kept(journal) == [2]


def test_by_size_the_oldest_sent_goes_first_then_the_oldest_unsent_if_it_may(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        for sent in (False, True, True, False):
            record(journal, sent=sent, seconds=600)
        open_one = journal.open_session(new_session(), [second(0)])
        assert journal.retire(Retention(keep_mb=0.36), NOW) == 1
        assert kept(journal) == [1, 3, 4, open_one]
        assert journal.retire(Retention(keep_mb=0.27), NOW) == 1
        assert kept(journal) == [1, 4, open_one]
        assert journal.retire(Retention(keep_mb=0.17), NOW) == 0
        assert journal.retire(Retention(keep_mb=0.17, delete_unsent=True), NOW) == 1
        assert kept(journal) == [4, open_one]
        assert journal.retire(Retention(keep_mb=0.001, delete_unsent=True), NOW) == 1
        assert kept(journal) == [open_one]


def test_the_file_does_not_grow_when_the_room_of_what_went_is_used_again(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        sizes = []
        for _ in range(6):
            record(journal, sent=True, seconds=600)
            journal.retire(Retention(keep_mb=0.2), NOW)
            journal._db.execute("PRAGMA wal_checkpoint(PASSIVE)")  # noqa: SLF001 - so that the size can be seen
            sizes.append(journal.path.stat().st_size)
        assert sizes[-1] <= sizes[2] + 3 * 4096  # pages that are split differently
