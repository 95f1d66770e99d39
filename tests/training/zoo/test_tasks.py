"""The tasks of the product, made of recordings, and the command that compares on them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras import layers

from converters.environments import here
from converters.recipes import BY_NAME
from edge_agent.recordings.recording import Recording
from tests.training.inspect.test_acceleration import moving
from tests.training.inspect.test_acceleration import write as write_acceleration
from training import cli
from training.dataset import load
from training.errors import TrainingError
from training.simulator import simulate
from training.zoo import activity, forms, recovery, workout
from training.zoo.architectures import ZOO, Architecture, Head
from training.zoo.problem import Problem
from training.zoo.views import SEQUENCE, SPECTROGRAM, TEN_BY_TEN


def assert_whole(problem: Problem) -> None:
    """Every view shows every window, and nobody who is scored is learned from."""
    count = len(problem.target)
    assert {view: values.shape[0] for view, values in problem.inputs.items()} == {
        SEQUENCE: count,
        TEN_BY_TEN: count,
        SPECTROGRAM: count,
    }
    assert problem.inputs[TEN_BY_TEN].shape[1:] == (10, 10)
    assert problem.inputs[SPECTROGRAM].shape[1:] == (28, 28, 1)
    for values in problem.inputs.values():
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
    for fold in problem.folds:
        scored = set(problem.person[fold.scored])
        assert scored.isdisjoint(problem.person[fold.train])
        assert scored.isdisjoint(problem.person[fold.validation])
        assert set(fold.train).isdisjoint(fold.validation)


def test_workout_windows_end_at_scored_origins_and_look_back_a_minute(data_folder: Path) -> None:
    problem = workout.make(data_folder)
    assert_whole(problem)
    assert len(problem.folds) == 2
    assert problem.inputs[SEQUENCE].shape[1:] == (60, 10)
    # 120 s to look back over and 60 s ahead of 300 s leave 120 origins of each of 20 sessions, and 1200 of each person.
    assert len(problem.target) == 20 * 120
    session = load(data_folder).sessions[0]
    np.testing.assert_allclose(problem.target[0], session.change_bpm[120] / np.array([2.0, 5.0, 8.0]), rtol=1e-5)
    since = problem.inputs[SEQUENCE][0, :, 0]
    np.testing.assert_allclose(since * 10, session.anchor_bpm[61:121] - session.anchor_bpm[120], atol=1e-4)
    for baseline in problem.baselines.values():
        assert baseline(problem.folds[0]).shape == (len(problem.folds[0].scored), 3)


def test_workout_of_one_person_cannot_be_compared(data_folder: Path) -> None:
    with pytest.raises(TrainingError, match="nobody can be left out"):
        workout.make(data_folder / "ada")


def write_recovery(recording: Recording, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["t_s", "heart_rate_bpm", "power_w"])
        columns = zip(recording.channels["heart_rate_bpm"], recording.channels["power_w"], strict=True)
        rows.writerows([t, bpm, power] for t, (bpm, power) in enumerate(columns) if not np.isnan(bpm))


def test_recovery_is_learned_from_simulated_people_and_scored_on_recorded_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "ATHLETES", 30)
    for i, recording in enumerate(simulate(np.random.default_rng(11), athletes=12)):
        write_recovery(recording, tmp_path / f"p{i % 3}" / f"s{i:02}.csv")
    problem = recovery.make(tmp_path)
    assert_whole(problem)
    (fold,) = problem.folds
    assert {name.partition("-")[0] for name in problem.person[fold.scored]} <= {"p0", "p1", "p2"}
    tallies = problem.measure.tallies(problem.target[fold.scored], problem.baselines["persistence"](fold))
    falls = problem.measure.figures(tallies.sum(axis=0))
    assert 3 < falls[0] < falls[1] < 80


def test_activity_windows_are_few_of_many_and_each_person_is_scored_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "WINDOWS_EACH", 10)
    for i, person in enumerate(("ann", "bob", "cai", "dee", "eve")):
        write_acceleration(tmp_path / person / "walk.csv", moving(3, 80, seed=i), activity="walk")
        write_acceleration(tmp_path / person / "still.csv", moving(0, 30, seed=i), activity="still")
    problem = activity.make(tmp_path)
    assert_whole(problem)
    # Of 16 windows of walking 10 are taken, of 6 of standing all.
    assert len(problem.target) == 5 * (10 + 6)
    assert sorted(np.concatenate([fold.scored for fold in problem.folds])) == list(range(80))
    fold = problem.folds[0]
    for name, least in (("most frequent class", 0.3), ("random forest", 0.95)):
        tallies = problem.measure.tallies(problem.target[fold.scored], problem.baselines[name](fold))
        assert problem.measure.figures(tallies.sum(axis=0))[0] > least


def test_activity_of_two_people_cannot_be_compared(tmp_path: Path) -> None:
    for person in ("ann", "bob"):
        write_acceleration(tmp_path / person / "walk.csv", moving(3, 30), activity="walk")
    with pytest.raises(TrainingError, match="of at least 4"):
        activity.make(tmp_path)


def short_gru(x: Any, head: Head) -> Any:  # noqa: ANN401
    """A new architecture: this function, and the line that registers it below."""
    return head(layers.GRU(2, name="gru")(x[:, -3:]))


def test_the_command_compares_what_is_registered_and_says_what_becomes_of_it(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in list(ZOO):
        monkeypatch.delitem(ZOO, name)
    monkeypatch.setitem(ZOO, "short-gru", Architecture(short_gru))
    monkeypatch.setattr(forms, "RECIPES", (BY_NAME["float32"], BY_NAME["full_int8"]))
    monkeypatch.setattr(forms, "own", lambda _: here())  # no environments are made, which would take a network
    forms._runtimes.cache_clear()  # noqa: SLF001
    assert cli.main(["compare", "workout", "--data", str(data_folder), "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"wrote {tmp_path / 'zoo.md'}\n"
    (entry,) = json.loads((tmp_path / "zoo-workout.json").read_text())["architectures"]
    assert entry["parameters"] == 3 * (10 + 2 + 2) * 2 + 3 * 3
    converted, refused = entry["forms"]
    assert converted["model_bytes"] > 1000
    assert all(timing["us"] > 0 for timing in converted["took"].values())
    assert {*converted["took"], *converted["refused"]} == {"tflite-runtime", "ai-edge-litert"}
    assert "ai-edge-litert" in converted["took"]
    assert refused["model_bytes"] is None
    assert "gru" in refused["refused"]["any"]
    page = (tmp_path / "zoo.md").read_text(encoding="utf-8")
    assert "| short-gru |" in page
    assert "1 of 2" in page
    forms._runtimes.cache_clear()  # noqa: SLF001


def test_a_task_that_there_is_none_of_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["compare", "weather", "--data", "x", "--out", "y"])
    assert "choose from" in capsys.readouterr().err
