"""Backups are whole and consistent while the agent records, and come back whole or not at all."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.cli import main
from edge_agent.errors import JournalError
from edge_agent.inference.models import WorkoutModel
from edge_agent.store.backup import back_up, restore
from edge_agent.store.database import FILE_NAME
from edge_agent.store.exchange import set_aside
from edge_agent.store.journal import Journal
from tests.store.disk import REPOSITORY
from tests.store.samples import new_session, second, summarised
from tests.store.test_recovery import destroy, leaf_pages
from tests.store.test_recovery import record as record_much


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """Of a journal with one session, and with what was learned of ada."""
    with Journal(tmp_path / "old") as journal:
        summarised(journal, journal.open_session(new_session(), [second(0), second(1)]))
    WorkoutModel(tmp_path / "old").athletes.save("ada")
    back_up(tmp_path / "old", tmp_path / "backup")
    return tmp_path / "backup"


def test_a_new_device_goes_on_where_the_backup_was_made(backup: Path, tmp_path: Path) -> None:
    assert restore(backup, tmp_path / "new") is None
    with Journal(tmp_path / "old") as old, Journal(tmp_path / "new") as new:
        assert new.device_id == old.device_id
        assert new.outbox() == old.outbox()
        assert new.seconds(1) == old.seconds(1) == [second(0), second(1)]
        new.accept(new.open_session(new_session(), [second(0)]), [second(1)])
    learned = [{p.name: p.read_bytes() for p in (tmp_path / name / "athletes").iterdir()} for name in ("old", "new")]
    assert learned[0] == learned[1] != {}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "new").rglob("*") if p.is_file()} == {0o600}
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600


def test_a_backup_is_one_instant_of_a_journal_that_another_process_writes(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from edge_agent.store.journal import Journal\n"
        "from tests.store.samples import new_session, second\n"
        "journal = Journal(Path(sys.argv[1])); session = journal.open_session(new_session(), [second(0)])\n"
        "print('recording', flush=True)\n"
        "for t_s in range(1, 10**6): journal.accept(session, [second(t_s)])\n"
    )
    agent = subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "store"], cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    try:
        assert agent.stdout is not None
        agent.stdout.readline()
        counts = []
        for number in range(5):
            time.sleep(0.05)
            back_up(tmp_path / "store", tmp_path / f"backup-{number}")
            restore(tmp_path / f"backup-{number}", tmp_path / f"restored-{number}")
            with Journal(tmp_path / f"restored-{number}") as journal:
                seconds = [s.t_s for s in journal.seconds(1)]
            assert seconds == list(range(len(seconds)))
            counts.append(len(seconds))
        assert agent.poll() is None
    finally:
        agent.kill()
        agent.communicate()
    assert 0 < counts[0] < counts[-1]


def test_a_restore_sets_the_journal_that_was_there_aside(backup: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "new") as journal:
        replaced = journal.device_id
    aside = restore(backup, tmp_path / "new")
    assert aside == tmp_path / "new" / f"{FILE_NAME}.replaced-1"
    with closing(sqlite3.connect(aside)) as db:
        assert db.execute("SELECT id FROM device").fetchone() == (replaced,)


def test_nothing_is_restored_under_an_agent_that_runs(backup: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "new") as journal, pytest.raises(JournalError, match="another agent is recording here"):
        restore(backup, tmp_path / "new")
    assert not journal.path.with_name(f"{FILE_NAME}.replaced-1").exists()


def spoil_header(path: Path) -> None:
    path.write_bytes(b"not a database" * 1000)


def spoil_page(path: Path) -> None:
    destroy(path, leaf_pages(path, "second")[0])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def add_trigger(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TRIGGER t AFTER INSERT ON second BEGIN DELETE FROM session; END")


def rename_file(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE learned SET file = '../../outside'")
        db.commit()


def other_database(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE photos (name TEXT)")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_header, "is damaged"),
        (spoil_page, "is damaged"),
        (cut_short, "is damaged"),
        (add_trigger, "is no backup"),
        (other_database, "is no backup"),
        (rename_file, "is no file name of what was learned"),
        (Path.unlink, "there is no such file"),
    ],
)
def test_what_is_no_sound_backup_changes_nothing(backup: Path, tmp_path: Path, spoil: object, reason: str) -> None:
    with Journal(tmp_path / "new") as journal:
        session = journal.open_session(new_session(), [second(0)])
    assert callable(spoil)
    spoil(backup)
    with pytest.raises(JournalError, match=reason):
        restore(backup, tmp_path / "new")
    with Journal(tmp_path / "new") as journal:
        assert journal.seconds(session) == [second(0)]
    assert not (tmp_path / "outside").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=40)), min_size=1))
def test_whatever_the_bytes_of_a_backup_are_it_comes_back_sound_or_not_at_all(
    backup: Path, tmp_path_factory: pytest.TempPathFactory, spoils: list[tuple[float, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("spoiled")
    content = bytearray(backup.read_bytes())
    for where, data in spoils:
        start = int(where * len(content))
        content[start : start + len(data)] = data
    (folder / "backup").write_bytes(content)
    try:
        restore(folder / "backup", folder / "store")
    except JournalError:
        assert not (folder / "store" / FILE_NAME).exists()
    with Journal(folder / "store") as journal:
        assert set_aside(folder / "store") == []
        journal.open_session(new_session(), [second(0)])


def test_a_backup_is_replaced_by_a_newer_one_and_nothing_else_is(backup: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "old") as journal:
        journal.open_session(new_session(), [second(0)])
    back_up(tmp_path / "old", backup)
    restore(backup, tmp_path / "new")
    with Journal(tmp_path / "new") as journal:
        assert journal.open_sessions() == [2]
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(JournalError, match="is there already and no backup"):
        back_up(tmp_path / "old", tmp_path / "notes")
    assert (tmp_path / "notes").read_text() == "mine"


def test_a_damaged_journal_does_not_replace_a_sound_backup(tmp_path: Path) -> None:
    record_much(tmp_path / "store")
    back_up(tmp_path / "store", tmp_path / "backup")
    before = (tmp_path / "backup").read_bytes()
    destroy(tmp_path / "store" / FILE_NAME, leaf_pages(tmp_path / "store" / FILE_NAME, "second")[2])
    with pytest.raises(JournalError, match="start the agent once to have it repaired"):
        back_up(tmp_path / "store", tmp_path / "backup")
    assert (tmp_path / "backup").read_bytes() == before


def test_the_commands_say_what_they_did(backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "agent.toml"
    config.write_text('strap = { name = "HR 1" }\nstore = { directory = "new" }\n')
    assert main(["restore", str(backup), "--config", str(config)]) == 0
    assert main(["backup", str(tmp_path / "again"), "--state", str(tmp_path / "new")]) == 0
    assert main(["restore", str(tmp_path / "again"), "--state", str(tmp_path / "new")]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "restored"
    assert out[1].startswith(f"{tmp_path / 'again'}: 0.")
    assert out[2].endswith("set aside as " + str(tmp_path / "new" / f"{FILE_NAME}.replaced-1"))
    shutil.rmtree(tmp_path / "new")
    assert main(["backup", str(tmp_path / "none"), "--state", str(tmp_path / "new")]) == 2
    assert "there is no journal" in capsys.readouterr().err
