"""The command as a user has it."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.store.identifiers import uuid7
from heartline_backend.cli import BAD_INPUT, main
from heartline_backend.config import StoreConfig
from heartline_backend.store.cli import FAILED
from heartline_backend.store.open import open_store
from heartline_backend.store.rows import DeadLetter
from tests.backend.samples import DEVICE, NOON, OTHER_DEVICE, a_summary, an_event, delivery, message


@pytest.fixture
def config(tmp_path: Path) -> str:
    """Configuration of a store with a little of everything."""
    file = tmp_path / "backend.toml"
    file.write_text('timezone = "Europe/Berlin"\n[store]\nfile = "kept.sqlite3"\n')
    with open_store(StoreConfig(file=tmp_path / "kept.sqlite3")) as store:
        messages = [
            message(a_summary()),
            message(a_summary(athlete="=bo\x1b[2J", started_at=NOON + timedelta(days=1))),
            message(a_summary(), device=OTHER_DEVICE),
            message(b"online", name="status"),
            message(an_event()),
        ]
        payload = delivery(a_summary(athlete="late")).payload
        topic = delivery(a_summary()).topic
        letter = DeadLetter(uuid7(NOON), NOON, uuid.UUID(DEVICE), topic, "schema 9", len(payload), payload)
        store.keep(messages, [letter], NOON)
    return str(file)


def test_tables_are_printed_and_what_comes_from_outside_cannot_move_the_cursor(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("athletes", "sessions", "events", "load", "devices", "dead-letters"):
        assert main([command, "--config", config]) == 0
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "=bo?[2J" in printed
    assert "2026-W10" in printed
    assert f"{DEVICE}  online      2026-03-02 12:00  2" in printed
    assert "schema 9" in printed


def test_json_is_printed_for_programs(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command, count in (
        ("athletes", 3),
        ("sessions", 3),
        ("events", 1),
        ("load", 3),
        ("devices", 2),
        ("dead-letters", 1),
    ):
        assert main([command, "--config", config, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == count
    assert main(["devices", "--online", "--config", config, "--json"]) == 0
    assert [device["device"] for device in json.loads(capsys.readouterr().out)] == [DEVICE]


def test_sessions_are_chosen_by_time_in_the_zone_of_the_backend(
    config: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sessions", "--config", config, "--json", "--since", "2026-03-02T13:01"]) == 0  # noon is 13:00 there
    assert len(json.loads(capsys.readouterr().out)) == 1
    assert main(["sessions", "--config", config, "--since", "noon"]) == BAD_INPUT
    assert "--since: 'noon' is no date" in capsys.readouterr().err


def test_an_export_is_for_its_owner_and_no_cell_of_it_is_a_formula(config: str, tmp_path: Path) -> None:
    out = tmp_path / "sessions.csv"
    assert main(["export", "--config", config, "--out", str(out)]) == 0
    assert out.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(io.StringIO(out.read_text(encoding="utf-8"))))
    assert [row["athlete"] for row in rows] == ["ada", "ada", "'=bo\x1b[2J"]
    assert rows[0]["started_at"] == "2026-03-02T12:00:00Z"


def test_an_export_in_json_has_all_that_was_published(config: str, tmp_path: Path) -> None:
    out = tmp_path / "sessions.json"
    assert main(["export", "--config", config, "--format", "json", "--device", DEVICE, "--out", str(out)]) == 0
    sessions = json.loads(out.read_text(encoding="utf-8"))
    assert [session["summary"]["forecast"]["10"]["mae_bpm"] for session in sessions] == [1.5, 1.5]
    assert main(["export", "--config", config, "--format", "json", "--athlete", "nobody", "--out", str(out)]) == 0
    assert json.loads(out.read_text(encoding="utf-8")) == []


def test_an_athlete_is_deleted(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["delete-athlete", "ada", "--config", config]) == 0
    assert "sessions deleted: 2" in capsys.readouterr().out
    assert main(["delete-athlete", "ada", "--config", config]) == FAILED


def test_dead_letters_are_tried_again_or_discarded(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dead-letters", "--again", "--config", config]) == 0
    assert capsys.readouterr().out.startswith("kept: 1\n")
    assert main(["dead-letters", "--discard", "--config", config]) == 0
    assert capsys.readouterr().out == "discarded: 0\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("store.postgresql = 'host'", "no connection string of libpq"),
        ("timezone = 'Mars'", "`timezone` 'Mars' is not known here"),
        ("broker.host = 'b'\nbroker.group = 'a/b'", "group"),
        ("other = 1", "unknown field"),
    ],
)
def test_a_configuration_at_fault_is_named_with_the_remedy(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backend.toml"
    file.write_text(text)
    assert main(["athletes", "--config", str(file)]) == BAD_INPUT
    assert said in capsys.readouterr().err


def test_a_worker_without_a_broker_is_told_so(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--config", config]) == BAD_INPUT
    assert "needs a [broker]" in capsys.readouterr().err


def test_a_file_that_is_no_store_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept.sqlite3").write_text("no database" * 100)
    file = tmp_path / "backend.toml"
    file.write_text("store.file = 'kept.sqlite3'")
    assert main(["athletes", "--config", str(file)]) == BAD_INPUT
    assert "move it away" in capsys.readouterr().err


def test_demand_is_forecast_by_the_hour_and_compared_with_last_week(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backend.toml"
    file.write_text('timezone = "Europe/Berlin"\n')
    assert main(["demand", "--config", str(file)]) == BAD_INPUT
    assert "a forecast needs 2" in capsys.readouterr().err
    now = datetime.now(ZoneInfo("Europe/Berlin"))
    evening = now.replace(hour=18, minute=5) - timedelta(days=now.weekday())  # of this Monday
    with open_store(StoreConfig(file=tmp_path / "heartline.sqlite3")) as store:
        for week in range(1, 7):
            at = evening - timedelta(weeks=week)
            store.keep([message(a_summary(athlete=f"a{n}", started_at=at)) for n in range(8 + week % 2)], [], now)
    assert main(["demand", "--config", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "forecast from 6 weeks" in printed
    assert re.search(r"^18:00    [89] \(", printed, re.MULTILINE)
    assert main(["demand", "--config", str(file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert max(told["baseline"][told["monday"]]) == 9


def test_without_its_extra_the_command_says_what_to_install(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("heartline_backend.cli.find_spec", lambda name: None if name == "psycopg" else name)
    assert main(["athletes", "--config", config]) == BAD_INPUT
    assert "psycopg not installed; run: " in capsys.readouterr().err
