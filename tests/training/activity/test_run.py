from __future__ import annotations

from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from edge_agent.inference.bundle import WindowClassifier
from edge_agent.signals.acceleration import CHANNELS, WINDOW_SAMPLES
from training import cli
from training.activity.classes import CLASSES
from training.activity.model import build, macs
from training.activity.report import LARGEST, MOST_MACS, score, shortfalls, verdict
from training.activity.run import REPORT, RESULTS
from training.activity.summary import CNN, FOREST, MAJORITY, SMOOTHED, Results
from training.manifest import CELL, read_manifest


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory, acceleration_folder: Path) -> Path:
    out = tmp_path_factory.mktemp("activity")
    arguments = ["activity", "--data", str(acceleration_folder), "--out", str(out), "--seeds", "1", "--steps", "20"]
    assert cli.main(arguments) == 0
    return out


@pytest.fixture(scope="module")
def results(out: Path) -> Results:
    return msgspec.json.decode((out / RESULTS).read_bytes(), type=Results)


def test_every_method_is_scored_on_every_person_of_every_part(results: Results) -> None:
    assert [p.part for p in results.parts] == ["neutral, chest", "neutral, wrist"]
    for part in results.parts:
        assert [s.method for s in part.scores] == [MAJORITY, FOREST, CNN, SMOOTHED]
        assert (part.people, part.windows) == (2, 2 * 4 * 6)
        assert sum(map(sum, part.confusion)) == part.windows
        for one in part.scores:
            assert set(one.by_person) == {"neutral/p0", "neutral/p1"}
        assert score(part, MAJORITY).macro_f1 == pytest.approx(0.1)  # one class of four is right
        assert score(part, FOREST).macro_f1 > 0.8


def test_turning_the_sensor_costs_the_network_nothing(results: Results) -> None:
    for part in results.parts:
        for by_angle in part.rotation.values():
            assert max(by_angle) - min(by_angle) < 0.03


def test_the_report_says_first_what_is_not_reached(out: Path, results: Results) -> None:
    text = (out / REPORT).read_text(encoding="utf-8")
    assert text.splitlines()[2] == verdict(results)
    assert ("Not all that was asked" in verdict(results)) == bool(shortfalls(results))
    assert "broken.csv, line 2" in text
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert len(pictures) == 4
    assert all(name in text for name in pictures)


def test_a_run_leaves_a_network_with_its_manifest(out: Path) -> None:
    manifest = read_manifest(out)
    network = keras.models.load_model(out / CELL)
    assert manifest.task == "activity"
    assert isinstance(manifest.interface, WindowClassifier)
    assert manifest.interface.labels == CLASSES
    assert set(manifest.interface.calibration) == {"chest", "wrist"}
    assert network(np.zeros((1, WINDOW_SAMPLES, len(CHANNELS)))).shape == (1, len(CLASSES))
    assert {m.measure for m in manifest.metrics} == {"macro_f1"}


def test_the_network_is_compact() -> None:
    network = build()
    assert network.count_params() <= LARGEST
    assert 200_000 < macs(network) <= MOST_MACS
