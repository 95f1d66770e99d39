"""What was learned of an athlete is kept whole, restored, and deleted when asked."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_agent.inference import athlete
from edge_agent.inference.athlete import EXPERTS, Athletes
from edge_agent.inference.bundle import Manifest
from edge_agent.inference.personal import LESSON_S
from tests.inference.test_bundle import cell, manifest


@pytest.fixture
def model() -> Manifest:
    return manifest(interface=cell(horizons_s=(10, 30, 60)))


def teach(athletes: Athletes, name: str) -> None:
    state = athletes.state(name)
    random = np.random.default_rng(1)
    for x in random.normal(size=(75, LESSON_S, len(state.heads.weights))):
        state.heads.learn(x, np.array([state.heads.predict(second) for second in x]), x[:, :3])
    change_bpm = np.array([[4.0, 4.0, np.nan]])
    state.mixture.learn(np.tile(np.arange(float(len(EXPERTS))), (1, 3, 1)), np.full((1, 3), 3.0), change_bpm)
    state.intervals.learn(np.tile([-1.0, 0.0, 1.0], (1, 3, 1)), change_bpm)


def numbers(athletes: Athletes, name: str) -> dict[str, list[float]]:
    return {key: array.tolist() for key, array in athletes.state(name).numbers().items()}


def test_a_saved_state_is_restored_as_exactly_as_float32_holds_it(tmp_path: Path, model: Manifest) -> None:
    athletes = Athletes(model, tmp_path)
    teach(athletes, "ada")
    athletes.save("ada")
    restored = Athletes(model, tmp_path)
    assert numbers(restored, "bob") == numbers(Athletes(model, None), "new")
    for known in (athletes, restored):
        known.state("ada").heads.begin_session()
    for name, array in athletes.state("ada").numbers().items():
        assert restored.state("ada").numbers()[name] == pytest.approx(array, rel=1e-5, abs=1e-4), name


def test_without_a_folder_it_is_kept_as_long_as_the_object_lives(model: Manifest) -> None:
    athletes = Athletes(model, None)
    teach(athletes, "ada")
    athletes.save("ada")
    assert numbers(athletes, "ada") != numbers(Athletes(model, None), "ada")


def test_the_file_is_private_and_does_not_say_whose_it_is(tmp_path: Path, model: Manifest) -> None:
    athletes = Athletes(model, tmp_path)
    athletes.save("ada")
    (file,) = (tmp_path / "athletes").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert "ada" not in file.name


def test_a_forgotten_athlete_starts_afresh(tmp_path: Path, model: Manifest) -> None:
    athletes = Athletes(model, tmp_path)
    teach(athletes, "ada")
    athletes.save("ada")
    assert athletes.forget("ada")
    assert list((tmp_path / "athletes").iterdir()) == []
    assert numbers(athletes, "ada") == numbers(Athletes(model, None), "new")
    assert not athletes.forget("bob")


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty", "huge", "not finite", "another shape"])
def test_a_damaged_file_is_said_and_learning_starts_over(
    damage: str, tmp_path: Path, model: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    athletes = Athletes(model, tmp_path)
    if damage == "not finite":
        athletes.state("ada").heads.weights[0, 0] = np.nan
    if damage == "another shape":
        athletes = Athletes(manifest(interface=cell(horizons_s=(10, 30, 60), state_size=20)), tmp_path)
    athletes.save("ada")
    (file,) = (tmp_path / "athletes").iterdir()
    content = file.read_bytes()
    if damage == "truncated":
        file.write_bytes(content[:-200])
    elif damage == "garbage":
        file.write_bytes(b"PK" + bytes(500))
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "huge":
        file.write_bytes(content + bytes(athlete.MAX_STATE_BYTES))
    assert numbers(Athletes(model, tmp_path), "ada") == numbers(Athletes(model, None), "ada")
    assert "learning starts over" in caplog.text
    assert "ada" not in caplog.text


def test_what_was_learned_on_another_model_is_not_used(
    tmp_path: Path, model: Manifest, caplog: pytest.LogCaptureFixture
) -> None:
    athletes = Athletes(model, tmp_path)
    teach(athletes, "ada")
    athletes.save("ada")
    newer = msgspec.structs.replace(model, version="0.2.0")
    assert numbers(Athletes(newer, tmp_path), "ada") == numbers(Athletes(newer, None), "ada")
    assert "of model 0.1.0, this is schema 3 of model 0.2.0" in caplog.text


def test_a_write_that_is_cut_off_leaves_the_old_state(
    tmp_path: Path, model: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    athletes = Athletes(model, tmp_path)
    teach(athletes, "ada")
    athletes.save("ada")
    before = numbers(athletes, "ada")
    teach(athletes, "ada")

    def power_cut(_: int) -> None:
        msg = "no power"
        raise OSError(msg)

    monkeypatch.setattr(os, "fsync", power_cut)
    athletes.save("ada")
    assert numbers(Athletes(model, tmp_path), "ada") == before
