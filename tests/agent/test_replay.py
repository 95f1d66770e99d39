"""Recordings through the agent's own pipeline."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.cli import main
from edge_agent.store.journal import Journal

STOP_S = 780
HEADER = "t_s,heart_rate_bpm,speed_mps\n"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "ada" / "run.csv"
    path.parent.mkdir()
    seconds = (f"{t},{'' if 100 <= t < 105 else 100 + t / 10},{2.5 + t % 60 / 60}\n" for t in range(300))
    path.write_text(HEADER + "".join(seconds))
    return path


def test_json_is_one_line_per_second_with_every_horizon(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(recording), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["t_s"] for line in lines] == list(range(300))
    assert lines[50]["heart_rate_bpm"] == 105.0
    assert lines[50]["session"] == "run"
    for horizon_s in ("10", "30", "60"):
        quantiles = lines[50]["forecast"][horizon_s]
        assert set(quantiles) == {"q10", "q50", "q90"}
        assert quantiles["q10"] <= quantiles["q50"] <= quantiles["q90"]
        assert lines[102] == {
            "session": "run",
            "t_s": 102,
            "heart_rate_bpm": None,
            "forecast": {"10": None, "30": None, "60": None},
        }


@pytest.fixture
def effort(tmp_path: Path) -> Path:
    """Ten minutes of hard work after an easy start, then light pedalling; heart rate follows."""
    path = tmp_path / "ada" / "ramp.csv"
    path.parent.mkdir(exist_ok=True)
    rows, heart_rate_bpm = [], 95.0
    for t_s in range(960):
        power_w = 80 if t_s < 180 or t_s >= STOP_S else 260
        heart_rate_bpm += ((172 if power_w > 100 else 100) - heart_rate_bpm) / (30 if power_w > 100 else 60)
        rows.append(f"{t_s},{heart_rate_bpm:.0f},{power_w}\n")
    path.write_text("t_s,heart_rate_bpm,power_w\n" + "".join(rows))
    return path


def test_for_two_minutes_after_an_effort_the_recovery_is_forecast(
    effort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(effort), "--json", "--target", "130"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    recovering = {line["t_s"]: line["recovery"] for line in lines if "recovery" in line}
    assert min(recovering) in range(STOP_S + 1, STOP_S + 20)
    assert max(recovering) in (STOP_S + 119, STOP_S + 120)
    came = {line["t_s"]: line["heart_rate_bpm"] for line in lines}
    down_s = next(t_s for t_s in range(STOP_S, 960) if came[t_s] <= 130)
    at_30_s = recovering[STOP_S + 30]
    assert at_30_s["stop_t_s"] == pytest.approx(STOP_S, abs=2)
    for horizon_s in (60, 120):
        quantiles = at_30_s[f"hr{horizon_s}_bpm"]
        assert quantiles["q10"] <= quantiles["q50"] <= quantiles["q90"]
        assert quantiles["q50"] == pytest.approx(came[STOP_S + horizon_s], abs=15)
    assert STOP_S + 30 + at_30_s["seconds_to_target"] == pytest.approx(down_s, abs=30)
    assert not at_30_s["not_reached"]


def test_a_target_that_is_not_reached_is_said(effort: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(effort), "--json", "--target", "60"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    recovering = [line["recovery"] for line in lines if "recovery" in line]
    assert {(r["seconds_to_target"], r["not_reached"]) for r in recovering} == {(None, True)}


def test_each_second_can_say_where_its_forecast_comes_from(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(recording), "--json", "--explain"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    explained = lines[200]["explanation"]
    assert set(explained["experts"]) == {"10", "30", "60"}
    assert sum(explained["experts"]["30"].values()) == pytest.approx(1, abs=1e-3)
    assert set(explained["without"]) == {"heart_rate", "speed"}
    assert "explanation" not in lines[102]


def test_explain_shows_it_to_a_person(recording: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(recording), "--at", "250"]) == 0
    out = capsys.readouterr().out
    assert "at 250 s, heart rate 125 bpm" in out
    assert out.count("carried by") == out.count("moves when masked") == 3


def test_what_is_learned_goes_on_in_the_next_call(
    recording: Path, effort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(effort), str(recording), "--athlete", "ada", "--json"]) == 0
    together = capsys.readouterr().out
    apart = ""
    for file in (effort, recording):
        assert main(["replay", str(file), "--athlete", "ada", "--json", "--state", str(tmp_path / "state")]) == 0
        apart += capsys.readouterr().out
    assert apart == together
    assert main(["forget", "ada", "--state", str(tmp_path / "state")]) == 0
    assert main(["forget", "ada", "--state", str(tmp_path / "state")]) == 1


def test_without_json_the_error_is_shown_beside_the_last_value(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(recording)]) == 0
    out = capsys.readouterr().out
    assert "ada run, 300 s" in out
    for horizon_s in (10, 30, 60):
        assert f" {horizon_s} s ahead: " in out
    # Heart rate rises by 0.1 bpm a second: the last value is 1 bpm off in 10 s.
    assert "the last value  1.00" in out


def test_a_state_folder_keeps_each_recording_once(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["replay", str(recording), "--athlete", "ada", "--state", str(tmp_path / "state")]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert "run is in the journal already" in capsys.readouterr().err
    with Journal(tmp_path / "state") as journal:
        assert [s.t_s for s in journal.seconds(1)] == list(range(300))
        assert [s.speed_mps for s in journal.seconds(1)][30:32] == pytest.approx([3.0, 3.0 + 1 / 60])
        assert journal.seconds(2) == []
        assert journal.open_sessions() == []
        assert journal.outbox() == []


def test_a_file_that_cannot_be_read_is_named_and_the_others_go_on(
    recording: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = recording.with_name("broken.csv")
    broken.write_text(HEADER + "0,100,2\n1,fast,2\n")
    assert main(["replay", str(broken), str(recording)]) == 2
    captured = capsys.readouterr()
    assert f"{broken}, line 3: " in captured.err
    assert "ada run, 300 s" in captured.out


def test_a_reader_that_has_seen_enough_is_no_error(recording: Path) -> None:
    command = f"{sys.executable} -m edge_agent.cli replay {recording} --json | head -n 1"
    shown = subprocess.run(["/bin/bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert shown.returncode == 0
    assert "Traceback" not in shown.stderr
    assert "Broken pipe" not in shown.stderr
    assert json.loads(shown.stdout)["t_s"] == 0


def test_a_real_run_is_replayed_second_by_second(data_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run,) = (data_root / "athlete-hr-predict" / "published-test").glob("RUN_2021-08-31*.csv")
    with run.open(newline="") as file:
        expected = [float(row["heart_rate"]) for row in csv.DictReader(file)]
    assert main(["replay", str(run), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["heart_rate_bpm"] for line in lines if line["heart_rate_bpm"] is not None] == expected
    available = [line["forecast"]["30"] is not None for line in lines]
    assert sum(available) == len(expected)
