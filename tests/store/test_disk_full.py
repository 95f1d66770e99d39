"""A disk that is full, in earnest: recording goes on in memory, its user is told, and what fits is written later."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from edge_agent.store import backlog
from edge_agent.store.backlog import Backlog, Write
from edge_agent.store.journal import Journal
from edge_agent.store.sessions import insert_seconds, rows_of
from tests.store.disk import on_small_disk
from tests.store.samples import new_session, second


def test_seconds_wait_in_memory_while_the_disk_is_full_and_are_written_in_order_later() -> None:
    seen = on_small_disk("""
with Journal(disk / "store") as journal:
    session = journal.open_session(new_session(), [second(0)])
    fill()
    t_s = 1
    while journal.held_s < 300:
        journal.accept(session, [second(t_s)])
        t_s += 1
    closed = journal.close_session(session, interrupted=False, enqueue=True)
    next_one = journal.open_session(new_session(), [second(0)])
    full = dict(closed=closed, held_s=journal.held_s, waiting=len(journal.outbox()), open=journal.open_sessions())
    free()
    later = 0
    while journal.held_s:
        later += 1
        journal.accept(next_one, [second(later)])
    first, last = ([s.t_s for s in journal.seconds(i)] for i in (session, next_one))
    report(full=full, in_order=first == list(range(t_s)) and last == list(range(later + 1)), later=later,
           waiting=len(journal.outbox()), open=journal.open_sessions(), next_one=next_one)
""")
    assert seen["full"]["closed"] is None
    assert seen["full"]["held_s"] == 301
    assert (seen["full"]["waiting"], seen["full"]["open"]) == (0, [1])
    assert seen["in_order"]
    assert seen["later"] <= 10  # so many seconds until the disk is asked again
    assert (seen["waiting"], seen["open"]) == (1, [seen["next_one"]])
    assert len(seen["said"]) == 2
    assert "the disk is full; delete something, or set `keep_mb`" in seen["said"][0]
    assert "Recording goes on in memory, for 4 h at most" in seen["said"][0]
    assert "it can be written again" in seen["said"][1]


def test_what_fits_is_written_when_the_agent_stops_on_a_full_disk_and_what_is_lost_is_said() -> None:
    seen = on_small_disk("""
journal = Journal(disk / "store")
session = journal.open_session(new_session(), [second(0)])
fill()
t_s = 1
while journal.held_s < 2000:
    journal.accept(session, [second(t_s)])
    t_s += 1
with (disk / "ballast").open("r+b") as file:
    file.truncate(file.seek(0, 2) - 300_000)
journal.close()
free()
with Journal(disk / "store") as journal:
    report(kept=[s.t_s for s in journal.seconds(session)], recorded=t_s, open=journal.open_sessions())
""")
    kept = seen["kept"]
    assert 300 < len(kept) < seen["recorded"]
    assert kept == list(range(len(kept)))
    assert seen["open"] == [1]
    assert seen["said"][-1] == f"journal: {seen['recorded'] - len(kept)} s could not be written and are lost"


def test_an_acknowledged_message_is_not_sent_again_while_the_disk_is_full() -> None:
    seen = on_small_disk("""
with Journal(disk / "store") as journal:
    for _ in range(2):
        journal.close_session(journal.open_session(new_session(), [second(0)]), interrupted=False, enqueue=True)
    first, last = (m.id for m in journal.outbox())
    fill()
    session = journal.open_session(new_session(), [second(0)])
    while not journal.held_s:
        session = journal.open_session(new_session(), [second(0)])
    journal.acknowledge(first)
    full = [m.id for m in journal.outbox()]
    free()
with Journal(disk / "store") as journal:
    report(full=full, left=[m.id for m in journal.outbox()], last=last)
""")
    assert seen["full"] == seen["left"] == [seen["last"]]


def test_memory_holds_seconds_up_to_a_bound_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(backlog, "HELD_SECONDS", 5)
    held = Backlog()
    written: list[int] = []
    for t_s in range(8):
        held.hold(Write(lambda _, t_s=t_s: written.append(t_s), seconds=1))  # type: ignore[misc]
    held.hold(Write(lambda _: written.append(-1)))  # a summary takes no seconds
    assert held.seconds == 5
    with Journal(tmp_path) as journal:
        held.flush(journal._db)  # noqa: SLF001 - any database does
    assert written == [0, 1, 2, 3, 4, -1]
    assert "memory holds 5 s, further ones are not recorded" in caplog.text
    assert "3 s were not recorded while the disk was away" in caplog.text


def test_what_waits_does_not_wait_for_ever_behind_seconds_whose_session_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held = Backlog()
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        for number in (session, session + 1, session):
            rows = rows_of(number, [second(1 + held.seconds)])
            held.hold(Write(partial(insert_seconds, rows=rows), seconds=1))
        held.flush(journal._db)  # noqa: SLF001 - any database does
        assert not held
        assert [s.t_s for s in journal.seconds(session)] == [0, 1, 3]
    assert "1 s have no session any more and are lost" in caplog.text


def test_its_user_is_reminded_every_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    held = Backlog()
    for _ in range(1300):
        held.hold(Write(id, seconds=1))
    assert [record.getMessage()[:30] for record in caplog.records] == [
        "journal: 600 s wait in memory,",
        "journal: 1200 s wait in memory",
    ]


def test_a_program_that_holds_the_file_does_not_stop_the_recording(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            journal.accept(session, [second(1)])
            assert journal.held_s == 1
        for t_s in range(2, 12):
            journal.accept(session, [second(t_s)])
        assert [s.t_s for s in journal.seconds(session)] == list(range(12))
