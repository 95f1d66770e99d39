from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.agent.replay_activity import replay_activity, stretches
from edge_agent.cli import BAD_INPUT, main
from edge_agent.inference.models import ActivityModel
from edge_agent.recordings.acceleration import read


def write(path: Path, acceleration_mps2: NDArray[np.float64], rate_hz: float) -> Path:
    rows = [f"{i / rate_hz:.4f},{x:.4f},{y:.4f},{z:.4f}" for i, (x, y, z) in enumerate(acceleration_mps2)]
    path.write_text("\n".join(["t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2", *rows]), encoding="utf-8")
    return path


def at_rest(seconds: float, rate_hz: float) -> NDArray[np.float64]:
    rng = np.random.default_rng(0)
    breath = 0.08 * np.sin(2 * np.pi * 0.25 * np.arange(round(seconds * rate_hz)) / rate_hz)
    return np.asarray(np.outer(1 + breath / 9.81, [1.5, 9.2, 3.0]) + rng.normal(0, 0.03, (len(breath), 3)))


def running(seconds: float, rate_hz: float) -> NDArray[np.float64]:
    """What a chest does at 160 steps per minute: thrown up and caught, with a sway from side to side at half of it."""
    phase = 160 / 60 * np.arange(round(seconds * rate_hz)) / rate_hz
    bounce = 14 * np.maximum(np.sin(2 * np.pi * phase), -0.7) + 3 * np.sin(4 * np.pi * phase)
    sway = 3 * np.sin(np.pi * phase)
    drive = 4 * np.cos(2 * np.pi * phase)
    return np.stack([9.81 + bounce - bounce.mean(), sway, drive], axis=1)


@pytest.fixture(scope="module")
def model() -> ActivityModel:
    return ActivityModel()


@pytest.mark.parametrize("rate_hz", [25.0, 100.0])
def test_a_line_per_window_says_what_was_done(
    rate_hz: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "rest.csv", at_rest(32, rate_hz), rate_hz)
    assert main(["replay", str(file), "--placement", "chest", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["t_s"] for line in lines] == [0, 5, 10, 15, 20, 25]
    for line in lines:
        assert set(line) == {"t_s", "activity", "cadence_per_min"}
        assert set(line["activity"]) == {"label", "probability", "unknown"}
        assert line["activity"]["label"] == "still"
        assert 0.5 < line["activity"]["probability"] <= 1
        assert line["activity"]["unknown"] is False
        assert line["cadence_per_min"] is None


def test_what_was_done_is_told_in_stretches(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moved = np.concatenate([at_rest(60, 50.0), running(60, 50.0), at_rest(60, 50.0)])
    file = write(tmp_path / "out.csv", moved, 50.0)
    assert main(["replay", str(file), "--placement", "chest"]) == 0
    head, *told = capsys.readouterr().out.splitlines()
    assert head.endswith("out, 180 s at 50 Hz")
    assert [line.split()[3] for line in told] == ["still", "run", "still"]
    assert "160 per min" in told[1]


def test_the_answers_do_not_depend_on_how_the_sensor_is_turned(model: ActivityModel, tmp_path: Path) -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    straight, turned = (
        list(replay_activity(read(write(tmp_path / "x.csv", x, 50.0)), model, "wrist"))
        for x in (running(30, 50.0), running(30, 50.0) @ turn)
    )
    assert [r.window.activity.label for r in straight] == [r.window.activity.label for r in turned]
    difference = [
        abs(a.window.activity.probability - b.window.activity.probability)
        for a, b in zip(straight, turned, strict=True)
    ]
    assert max(difference) < 0.05


def test_times_are_those_of_the_file(model: ActivityModel, tmp_path: Path) -> None:
    file = write(tmp_path / "late.csv", at_rest(22, 25.0), 25.0)
    text = file.read_text(encoding="utf-8").splitlines()
    shifted = [text[0], *(f"{float(t) + 1712.5:.4f},{rest}" for t, _, rest in (row.partition(",") for row in text[1:]))]
    file.write_text("\n".join(shifted), encoding="utf-8")
    assert [r.window.t_s for r in replay_activity(read(file), model, "wrist")] == [1712.5, 1717.5, 1722.5, 1727.5]
    (stretch,) = stretches(replay_activity(read(file), model, "wrist"))
    assert (stretch.begin_s, stretch.end_s) == (1712.5, 1732.5)


def test_a_gap_is_named_with_its_line_and_other_files_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = write(tmp_path / "whole.csv", at_rest(12, 25.0), 25.0)
    lines = write(tmp_path / "gap.csv", at_rest(12, 25.0), 25.0).read_text(encoding="utf-8").splitlines()
    (tmp_path / "gap.csv").write_text("\n".join(lines[:100] + lines[150:]), encoding="utf-8")
    assert main(["replay", str(tmp_path / "gap.csv"), str(whole), "--placement", "wrist", "--json"]) == BAD_INPUT
    captured = capsys.readouterr()
    assert "gap.csv, line 101: a gap of 2.04 s" in captured.err
    assert len(captured.out.splitlines()) == 2


def test_without_a_placement_the_remedy_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "rest.csv", at_rest(12, 25.0), 25.0)
    assert main(["replay", str(file)]) == BAD_INPUT
    assert "--placement chest or wrist" in capsys.readouterr().err
