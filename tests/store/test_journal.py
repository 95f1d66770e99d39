"""The journal: what it accepted is there, whatever happens to the process."""

from __future__ import annotations

import stat
import uuid
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import JournalError
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.forecast import Quantiles
from edge_agent.store.journal import Journal
from edge_agent.store.summary import Second, Summary
from tests.store.samples import new_session, second


def test_seconds_are_read_back_as_they_were_accepted(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        journal.accept(session, [second(1), second(2, None)])
        assert journal.seconds(session) == [second(0), second(1), second(2, None)]


loads = st.none() | st.floats(-500, 2000)
seconds_strategy = st.builds(
    Second,
    t_s=st.just(0),
    heart_rate_bpm=st.none() | st.floats(25, 250),
    rr_intervals_ms=st.lists(st.floats(1, 64000)).map(tuple),
    forecast=st.dictionaries(
        st.sampled_from([10, 30, 60]),
        st.builds(Quantiles, *[st.floats(25, 250).map(lambda bpm: round(bpm, 2))] * 3),
        min_size=1,
    ),
    speed_mps=loads,
    cadence_rpm=loads,
    power_w=loads,
    altitude_m=loads,
    activity=st.none()
    | st.builds(CurrentActivity, st.text(max_size=30), st.floats(0, 1), st.booleans(), st.none() | st.floats(0, 300)),
)


@given(seconds_strategy)
def test_any_second_survives_the_way_to_the_disk_and_back(tmp_path_factory: pytest.TempPathFactory, s: Second) -> None:
    with Journal(tmp_path_factory.mktemp("journal")) as journal:
        assert journal.seconds(journal.open_session(new_session(), [s])) == [s]


def test_the_record_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    with Journal(tmp_path / "new" / "store") as journal:
        journal.open_session(new_session(), [second(0)])
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in journal.path.parent.iterdir()}
        assert "journal.sqlite3-wal" in modes
        assert set(modes.values()) == {0o600}
        assert stat.S_IMODE(journal.path.parent.stat().st_mode) == 0o700


def test_a_summary_is_computed_from_the_journalled_seconds(tmp_path: Path) -> None:
    rates = [100.0, 110.0, None, 120.0, None]
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(t, bpm) for t, bpm in enumerate(rates)])
        summary = journal.close_session(session, interrupted=False, enqueue=True)
        (message,) = journal.outbox()
        assert msgspec.json.decode(message.payload, type=Summary) == summary
        assert journal.open_sessions() == []
    assert summary.started_at == "2026-03-01T07:30:00+00:00"
    assert (summary.duration_s, summary.recorded_s) == (4, 3)
    assert (summary.heart_rate_min_bpm, summary.heart_rate_mean_bpm, summary.heart_rate_max_bpm) == (100, 110, 120)
    assert summary.rr_interval_count == 10
    assert set(summary.forecast) == {10, 30, 60}
    assert summary.activity_s == {"run": 5}


def test_nothing_is_queued_that_was_not_switched_on(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        journal.close_session(session, interrupted=False, enqueue=False)
        journal.import_session(new_session(), [second(0)])
        assert journal.outbox() == []


def test_a_device_keeps_its_id(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        device_id = journal.device_id
    with Journal(tmp_path) as journal:
        assert journal.device_id == device_id
        assert uuid.UUID(device_id).version == 4


def test_a_transaction_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        session = journal.open_session(new_session(), [second(0)])
        with pytest.raises(JournalError, match=r"journal\.sqlite3: cannot be written"):
            journal.accept(session, [second(1), second(0)])
        assert journal.seconds(session) == [second(0)]
        journal.accept(session, [second(1)])


def test_two_agents_cannot_record_in_one_place(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(JournalError, match="another agent is recording here"):
        Journal(tmp_path)
    Journal(tmp_path).close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=r"file/store: cannot hold the journal"):
        Journal(tmp_path / "file" / "store")
