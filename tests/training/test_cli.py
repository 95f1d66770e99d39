from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import pytest

from edge_agent.inference.bundle import StreamingCell, read_bundle
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.signals.features import FEATURE_NAMES
from training import cli
from training.manifest import CELL, read_manifest

_BASELINES = {"persistence", "damped trend", "first order", "ridge, heart rate", "ridge, heart rate and load", "trees"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, data_folder: Path) -> Path:
    out = tmp_path_factory.mktemp("trained")
    arguments = ["workout", "--data", str(data_folder), "--out", str(out), "--seeds", "1", "--epochs", "2"]
    assert cli.main([*arguments, "--hidden", "6"]) == 0
    return out


def test_training_measures_baselines_and_model_on_the_same_origins(trained: Path) -> None:
    results = json.loads((trained / "metrics.json").read_text())
    sets = {score["name"]: score for score in results["data_sets"]}
    assert set(sets) == {"published-test", "neutral, held-out sessions", "neutral, unseen people"}
    for score in sets.values():
        methods = {m["name"]: m["mae_bpm"] for m in score["methods"]}
        assert set(methods) > _BASELINES
        assert all(0 < mae < 60 for name in ("persistence", "lstm") for mae in methods[name])
        assert {"lstm", "lstm, heart rate only", "mixture", "mixture, heart rate only"} < set(methods)
        assert [c["method"] for c in score["calibrations"]] == ["lstm", "mixture"]
    assert [a["person"] for a in results["athletes"]] == ["ada", "ben"]
    for athlete in results["athletes"]:
        played = {skill["method"] for skill in athlete["skills"]}
        assert played == {"least squares", "least squares, hidden state", "lstm", "mixture"}
    assert sets["neutral, unseen people"]["people"] == 2
    assert sets["published-test"]["origins"] == [170, 150, 120]


def test_training_writes_a_report_with_pictures(trained: Path) -> None:
    report = (trained / "report.md").read_text()
    for name in ("fans", "errors", "phases", "calibration", "people"):
        assert f"](workout-{name}.png)" in report
        assert (trained / f"workout-{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "broken.csv, line 3" in report
    assert "| persistence |" in report


def test_training_writes_a_cell_and_what_it_was_made_from(trained: Path) -> None:
    cell = keras.models.load_model(trained / CELL)
    manifest = read_manifest(trained)
    assert [tuple(i.shape) for i in cell.inputs] == [(1, len(FEATURE_NAMES)), (1, 12)]
    assert isinstance(manifest.interface, StreamingCell)
    assert manifest.interface.state_size == 12
    (source,) = manifest.data
    assert (source.name, source.people, source.hours) == ("neutral", 2, round(16 * 300 / 3600, 1))


def test_a_bundle_is_scored_as_a_device_runs_it(data_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["evaluate", "--bundle", str(SHIPPED_BUNDLE), "--data", str(data_folder)]) == 0
    output = capsys.readouterr().out
    assert "170/150/120 origins at 10 s/30 s/60 s" in output
    rows = {cells[1].strip(): cells[2:-1] for line in output.splitlines() if len(cells := line.split("|")) == 7}
    assert all(0 < float(mae) < 60 for mae in rows["persistence"][:3])
    forms = [cells for name, cells in rows.items() if " on " in name]
    assert len(forms) == sum(len(v.runtimes) for v in read_bundle(SHIPPED_BUNDLE).manifest.variants)
    assert all(float(cell) > 0 for cells in forms for cell in cells)
    assert {"mixture, heart rate only", "mixture, heart rate and load"} < set(rows)
    athletes = [line for line in output.splitlines() if line.startswith(("| ada", "| ben"))]
    assert len(athletes) == 2 * 2 * 2


def test_a_missing_extra_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    monkeypatch.setattr(cli, "find_spec", lambda name: None if name == "tensorflow" else object())
    assert cli.main(["workout", "--data", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "tensorflow not installed; run: pip install 'heartline[train]'" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["workout", "--out", "out"], ["evaluate", "--bundle", str(SHIPPED_BUNDLE)]])
def test_a_folder_that_is_not_there_is_one_sentence(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main([*command, "--data", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.strip().startswith("edge-train: ")


def test_a_bundle_that_is_none_is_one_sentence(
    data_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "b.zip").write_bytes(b"nothing")
    assert cli.main(["evaluate", "--bundle", str(tmp_path / "b.zip"), "--data", str(data_folder)]) == 2
    assert "b.zip" in capsys.readouterr().err
