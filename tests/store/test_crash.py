"""A part of the crash table (`python -m tests.store.crash_table`), and proof that it would find what it looks for."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.store.database import FILE_NAME
from tests.store import obedience
from tests.store.crash_table import START, Run, Story, cut_off, failed, killed, power_cuts, table, tell
from tests.store.trace import Synced
from tests.store.workloads import WORKLOADS


@pytest.fixture(scope="module", params=[name for name, workload in WORKLOADS.items() if not workload.consistent])
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    return tell(request.param, tmp_path_factory.mktemp("story"))


def test_a_power_cut_loses_nothing_that_was_accepted(story: Story, tmp_path: Path) -> None:
    runs = list(power_cuts(story, tmp_path, every=len(story.operations) // 25, chances=2))
    assert len(runs) >= 100
    assert [run for run in runs if not run.right] == []


def test_neither_kill_nor_io_error_loses_anything_that_was_accepted(story: Story, tmp_path: Path) -> None:
    runs = list(cut_off(story, tmp_path, every=250))
    assert [run for run in runs if not run.right] == []


def test_commands_are_done_once_wherever_the_device_is_cut_off(tmp_path: Path) -> None:
    story = tell("obey", tmp_path)
    runs = list(power_cuts(story, tmp_path, every=len(story.operations) // 20, chances=1))
    runs += [
        killed(story, tmp_path, "fdatasync", story.calls["fdatasync"] // 2),
        failed(story, tmp_path, "pwrite64", 9),
    ]
    assert len(runs) > 60
    assert [run for run in runs if not run.right] == []


def test_what_is_only_out_of_reach_is_not_given_up(tmp_path: Path) -> None:
    """One of these writes makes the shared memory that a damaged journal is read with; its rows are all there."""
    (tmp_path / "story").mkdir()
    story = tell("recover", tmp_path / "story")
    runs = [failed(story, tmp_path, "pwrite64", number) for number in range(15, 20)]
    assert [run for run in runs if not run.right] == []


def test_the_table_would_find_a_disk_that_does_not_sync(tmp_path: Path) -> None:
    (tmp_path / "story").mkdir()
    story = tell("record", tmp_path / "story")
    unsynced = [operation for operation in story.operations if not isinstance(operation, Synced)]
    runs = list(power_cuts(dataclasses.replace(story, operations=unsynced), tmp_path, every=90))
    assert any(not run.right for run in runs)


def test_the_table_would_find_a_second_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "story").mkdir()
    story = tell("record", tmp_path / "story")
    for dump in story.dumps:
        dump["second"] = [*dump["second"], (9, 9, 120.0, None, None)]
    assert not killed(story, tmp_path, "fdatasync", 20).right


def test_the_table_would_find_a_command_that_is_kept_apart_from_what_it_does(tmp_path: Path) -> None:
    store = tmp_path / "store"
    obedience.prepare(store)
    for state in obedience.obey(store):
        if state == "lap answered":
            break
    assert obedience.consistent(shutil.copytree(store, tmp_path / "copy"))
    with closing(sqlite3.connect(store / FILE_NAME)) as db, db:
        db.execute("DELETE FROM command")
    assert not obedience.consistent(store)


def test_the_table_has_a_line_for_each_state() -> None:
    runs = [
        Run("record", START, "kill -9", "", right=True),
        Run("record", "session open", "power cut", "", right=False),
        Run("record", START, "power cut", "", right=True),
    ]
    assert list(table(runs))[2:] == [
        "| record | start | 1 | 0 | 1 | 0 |",
        "| record | session open | 0 | 0 | 1 | 1 |",
        "| all | | 1 | 0 | 2 | 1 |",
    ]
