from __future__ import annotations

import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest

from converters.environments import here
from converters.pack import convert, pack
from converters.recipes import RECIPES
from edge_agent.inference.bundle import Bundle, read_bundle
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.recordings.recording import Recording
from tests.training.conftest import make_recording, write_neutral
from training import cli
from training.dataset import Dataset, make_session
from training.manifest import read_manifest
from training.personal.run import SETTINGS, Personal, personalise, write
from training.personal.verdict import PERSISTENCE, SHIPPED, TUNED

_SETTINGS = dataclasses.replace(SETTINGS, epochs=8, chunk_s=60, streams=4)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(SHIPPED_BUNDLE)


@pytest.fixture(scope="module")
def personal(recordings: list[Recording], bundle: Bundle) -> Personal:
    """Somebody whose heart the shipped model does not know: made up, and always the same."""
    sessions = [make_session(r) for r in recordings if r.person == "ada"]
    return personalise(Dataset(sessions, [], []), bundle, settings=_SETTINGS)


def test_the_later_sessions_are_scored_with_all_three(personal: Personal) -> None:
    outcome = personal.outcome
    assert list(outcome.mae_bpm) == [PERSISTENCE, SHIPPED, TUNED]
    assert [s.recording.session for s in personal.split.scored] == ["s08", "s09"]
    assert outcome.origins == [2 * (300 - 120 - h) for h in (10, 30, 60)]
    assert (outcome.trained, outcome.validated, outcome.scored) == (6, 2, 2)


def test_fine_tuning_to_a_simple_heart_helps(personal: Personal) -> None:
    assert personal.outcome.change < -0.05
    assert personal.outcome.better == 2


def test_what_is_written_packs_into_a_bundle(personal: Personal, bundle: Bundle, tmp_path: Path) -> None:
    write(tmp_path / "tuned", personal, bundle)
    manifest = read_manifest(tmp_path / "tuned")
    packed = pack(convert(manifest, tmp_path / "tuned", here(), recipes=RECIPES[:1]), tmp_path / "tuned.zip")
    assert [v.recipe for v in packed.variants] == ["float32"]
    assert read_bundle(tmp_path / "tuned.zip").manifest.version == manifest.version != bundle.manifest.version
    assert {(m.data_set, m.method) for m in manifest.metrics} == {
        ("last sessions", m) for m in personal.outcome.mae_bpm
    }
    *shipped_with, own = manifest.data
    assert tuple(shipped_with) == bundle.manifest.data
    assert (own.url, own.people, own.hours) == ("own recordings", 1, 0.5)


def test_the_command_says_whether_it_helped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(6):
        write_neutral(make_recording("cleo", f"s{i}", seconds=260, seed=i), tmp_path / "cleo" / f"s{i}.csv")
    assert cli.main(["personal", "--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    output = capsys.readouterr().out
    assert "| fine-tuned model |" in output
    assert ("It helped: " in output) != ("It did not help: " in output)
    cell = keras.models.load_model(tmp_path / "out" / "cell.keras")
    assert all(np.isfinite(w).all() for w in cell.get_weights())


def test_too_few_recordings_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(5):
        write_neutral(make_recording("cleo", f"s{i}", seconds=200, seed=i), tmp_path / "cleo" / f"s{i}.csv")
    assert cli.main(["personal", "--data", str(tmp_path)]) == 2
    assert "edge-train: 5 sessions are too few" in capsys.readouterr().err
