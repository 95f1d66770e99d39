from __future__ import annotations

import csv
from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from edge_agent.inference.bundle import StreamingCell
from edge_agent.recordings.recording import Recording
from edge_agent.signals.recovery import FEATURE_NAMES
from training.errors import TrainingError
from training.manifest import CELL, read_manifest
from training.recovery.fit import Settings
from training.recovery.golden import golden_vectors
from training.recovery.report import gains, verdict
from training.recovery.run import REPORT, RESULTS, run
from training.recovery.summary import LSTM, Results

_SETTINGS = Settings(hidden=5, athletes=40, simulated_steps=20, real_steps=4, alone_steps=4, batch=16)


def write(recording: Recording, folder: Path) -> None:
    path = folder / recording.person / f"{recording.session}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["t_s", "heart_rate_bpm", "power_w"])
        rows = zip(recording.channels["heart_rate_bpm"], recording.channels["power_w"], strict=True)
        writer.writerows([t, bpm, w] for t, (bpm, w) in enumerate(rows) if not np.isnan(bpm))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, recordings: list[Recording]) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for recording in recordings[:12]:
        write(recording, folder)
    (folder / "p0" / "broken.csv").write_text("t_s,heart_rate_bpm\n0,fast\n", encoding="utf-8")
    out = folder.parent / "out"
    done: list[int] = []
    run(folder, out, seeds=2, settings=_SETTINGS, on_step=lambda _, total: done.append(total))
    assert len(done) == done[0]
    return out


def test_a_run_leaves_a_cell_with_its_manifest(out: Path) -> None:
    manifest = read_manifest(out)
    cell = keras.models.load_model(out / CELL)
    assert manifest.task == "recovery"
    assert isinstance(manifest.interface, StreamingCell)
    assert manifest.interface.features == FEATURE_NAMES
    assert [tuple(t.shape) for t in cell.inputs] == [(1, len(FEATURE_NAMES)), (1, manifest.interface.state_size)]
    assert {m.method for m in manifest.metrics} > {LSTM, "shared time constant", "mean fall"}
    assert [d.name for d in manifest.data] == ["simulated"]


def test_every_method_is_scored_on_every_person(out: Path) -> None:
    results = msgspec.json.decode((out / RESULTS).read_bytes(), type=Results)
    assert [m.name for m in results.methods][-1] == LSTM
    assert len(results.methods) == 7
    for method in results.methods:
        assert set(method.by_person_bpm) == set(results.people)
        assert all(np.isfinite(method.mae_bpm))
    assert [m.name for m in results.ablation] == [
        "simulator alone",
        "simulator, then recordings",
        "recordings alone",
        "ridge on the simulator alone",
    ]
    assert any("broken.csv" in remark for remark in results.remarks)


def test_the_report_says_first_whether_the_model_earns_its_place(out: Path) -> None:
    results = msgspec.json.decode((out / RESULTS).read_bytes(), type=Results)
    text = (out / REPORT).read_text(encoding="utf-8")
    assert text.splitlines()[2] == verdict(results)
    assert ("is not 10 % below" in verdict(results)) == (min(gains(results)) < 0.10)
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert len(pictures) == 4
    assert all(name in text for name in pictures)


def test_one_person_is_too_few(tmp_path: Path, recordings: list[Recording]) -> None:
    write(recordings[0], tmp_path)
    with pytest.raises(TrainingError, match="no two people"):
        run(tmp_path, tmp_path / "out", seeds=2, settings=_SETTINGS)


def test_a_cell_that_no_bundle_takes_is_not_trained(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="another number of seeds"):
        run(tmp_path, tmp_path / "out", seeds=1, settings=Settings(hidden=len(FEATURE_NAMES) // 2))


def test_golden_vectors_are_recoveries_one_after_another() -> None:
    x = golden_vectors(500)
    assert x.shape == (500, len(FEATURE_NAMES))
    assert x.dtype == np.float32
    assert np.isfinite(x).all()
    assert (x[:, FEATURE_NAMES.index("elapsed")] > 0).all()
    np.testing.assert_array_equal(x, golden_vectors(500))
