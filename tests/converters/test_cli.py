from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from converters.cli import main
from converters.compare import Comparisons
from converters.errors import ConversionError
from converters.forms import Forms
from converters.pack import Conversion, convert, pack
from converters.recipes import BY_NAME, LITERT, TFLITE_RUNTIME
from converters.timings import TIMINGS
from edge_agent.inference.bundle import Bundle, DataSource, StreamingCell, read_bundle, write_bundle
from edge_agent.inference.runtime import RUNTIMES, Cell, golden_error
from tests.converters.test_forms import cnn, windows
from training.manifest import CELL, MANIFEST, read_manifest


@pytest.fixture(scope="module")
def bundle_file(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("bundle") / "workout.zip"
    assert main([str(trained_folder), "--out", str(out), "--here"]) == 0
    return out


def test_a_bundle_holds_the_form_that_wins_on_each_runtime(bundle_file: Path) -> None:
    variants = {v.recipe: v for v in read_bundle(bundle_file).manifest.variants}
    assert variants["float32"].runtimes == (TFLITE_RUNTIME, LITERT)
    winners = [line for line in bundle_file.with_suffix(".md").read_text().splitlines() if "): `" in line]
    assert [line.partition(" (")[0] for line in winners] == [f"- {runtime}" for runtime in RUNTIMES]
    assert {line.split("`")[1] for line in winners} | {"float32"} == set(variants)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_golden_pairs_hold_on_the_device(bundle_file: Path, runtime: str) -> None:
    bundle = read_bundle(bundle_file)
    for variant in bundle.manifest.variants:
        if runtime in variant.runtimes:
            cell = Cell(
                bundle.models[variant.recipe],
                recipe=variant.recipe,
                runtime=runtime,
                state_size=bundle.manifest.cell.state_size,
            )
            assert golden_error(cell, bundle) <= variant.max_error <= variant.tolerance


def test_the_golden_pairs_have_every_sensor_there_and_missing(bundle_file: Path) -> None:
    bundle = read_bundle(bundle_file)
    for name, column in zip(bundle.manifest.cell.features, bundle.golden_inputs.T, strict=True):
        if name.endswith("_present"):
            assert set(np.unique(column)) == {0.0, 1.0}, name


def test_converting_again_gives_the_same_bytes(bundle_file: Path, trained_folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    assert main([str(trained_folder), "--out", str(again), "--here"]) == 0
    assert again.read_bytes() == bundle_file.read_bytes()
    assert again.with_suffix(".md").read_text() == bundle_file.with_suffix(".md").read_text()
    timings = json.loads((trained_folder / TIMINGS).read_text())
    assert all(0 < t["us_low"] <= t["us"] <= t["us_high"] for t in timings.values())


def test_the_card_tells_data_licence_scores_limits_and_every_form(bundle_file: Path) -> None:
    card = bundle_file.with_suffix(".md").read_text()
    assert "| synthetic | own | own recordings | 2 | 1.5 |" in card
    assert "| held-out sessions | persistence | 1.60 | 3.90 | 6.10 |" in card
    assert "- No medical device." in card
    for recipe in BY_NAME:
        for runtime in RUNTIMES:
            assert f"| `{recipe}` | {runtime} |" in card
    assert "| `dynamic_wi8_afp32` | tflite-runtime | it needs FULLY_CONNECTED version 12" in card


def test_where_no_form_holds_nothing_is_written(trained_folder: Path, tmp_path: Path) -> None:
    nowhere = dict.fromkeys([("float32", runtime) for runtime in RUNTIMES], "not installed here")
    comparisons = Comparisons([], nowhere, Forms({}, {}, []), np.zeros((0, 59), np.float32), None, [])
    conversion = Conversion(read_manifest(trained_folder), comparisons, {}, [])
    with pytest.raises(ConversionError, match=r"no form of the workout model holds \(float32 on tflite-runtime: not"):
        pack(conversion, tmp_path / "b.zip")
    assert not (tmp_path / "b.zip").exists()


def test_any_keras_model_is_compared(
    save: Callable[[keras.Model], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = tmp_path / "inputs.npy"
    np.save(inputs, windows(64))
    assert main([str(save(cnn())), "--inputs", str(inputs), "--here", "--json"]) == 0
    found = {(f["recipe"], f["runtime"]): f for f in json.loads(capsys.readouterr().out)}
    assert set(found) == {(recipe, runtime) for recipe in BY_NAME for runtime in RUNTIMES}
    assert found["dynamic_wi8_afp32", TFLITE_RUNTIME]["refused"].startswith("it needs FULLY_CONNECTED version 12")
    measured = [f for f in found.values() if not f["refused"]]
    assert len(measured) == len(found) - 1
    for form in measured:
        assert form["golden"]["agreement"] >= (0.95 if form["recipe"] == "full_int8" else 0.97)
        assert form["us"] > 0
        assert form["peak_mb"] > 10
        assert sum(form["operators"].values()) > 5


def test_a_keras_file_without_inputs_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "m.keras")])
    assert "--inputs" in capsys.readouterr().err


def test_verify_says_what_it_checked(bundle_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(bundle_file), "--here"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "every member has the hash it should have" in lines[0]
    assert "trained on synthetic (own)" in lines
    forms = [line for line in lines if "off the golden pairs" in line]
    assert len(forms) == sum(len(v.runtimes) for v in read_bundle(bundle_file).manifest.variants)


def rewritten(path: Path, out: Path, **changes: object) -> Path:
    """The bundle with another manifest, whose hashes hold."""
    bundle = read_bundle(path)
    golden: Bundle = bundle
    members = {}
    for name, array in (("golden_inputs.npy", golden.golden_inputs), ("golden_outputs.npy", golden.golden_outputs)):
        with (out.parent / name).open("wb") as file:
            np.save(file, array)
        members[name] = (out.parent / name).read_bytes()
    models = {v.file: bundle.models[v.recipe] for v in bundle.manifest.variants}
    write_bundle(out, msgspec.structs.replace(bundle.manifest, **changes), models, members)
    return out


def test_verify_refuses_data_without_a_licence(
    bundle_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rewritten(bundle_file, tmp_path / "b.zip", data=(DataSource("scraped", " ", "", 1, 1.0),))
    assert main(["verify", str(path), "--here"]) == 2
    assert "no licence is stated for scraped" in capsys.readouterr().err


def test_verify_refuses_a_form_that_is_off_the_golden_pairs(
    bundle_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = read_bundle(bundle_file).manifest.variants
    strict = tuple(msgspec.structs.replace(v, tolerance=-1.0) for v in variants)
    assert main(["verify", str(rewritten(bundle_file, tmp_path / "b.zip", variants=strict)), "--here"]) == 2
    assert "off the golden pairs, -1 allowed" in capsys.readouterr().err


def test_verify_refuses_what_a_device_refuses(
    bundle_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "b.zip"
    path.write_bytes(bundle_file.read_bytes()[:-200])
    assert main(["verify", str(path), "--here"]) == 2
    error = capsys.readouterr().err
    assert "not a whole zip archive" in error
    assert error.count("\n") == 1


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "b.zip"), "--here"]) == 2
    error = capsys.readouterr().err
    assert MANIFEST in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"not a zip"])
def test_a_damaged_cell_is_one_sentence(
    content: bytes, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(trained_folder / MANIFEST, tmp_path)
    (tmp_path / CELL).write_bytes(content)
    assert main([str(tmp_path), "--out", str(tmp_path / "b.zip"), "--here"]) == 2
    error = capsys.readouterr().err
    assert CELL in error
    assert error.count("\n") == 1


def test_a_damaged_manifest_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / MANIFEST).write_bytes(b'{"task": 3}')
    assert main([str(tmp_path), "--out", str(tmp_path / "b.zip")]) == 2
    assert "not a training manifest" in capsys.readouterr().err


def test_a_model_of_another_contract_is_refused(
    trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = read_manifest(trained_folder)
    assert isinstance(trained.interface, StreamingCell)
    interface = msgspec.structs.replace(trained.interface, contract="workout-0")
    other = msgspec.structs.replace(trained, interface=interface)
    (tmp_path / MANIFEST).write_bytes(msgspec.json.encode(other))
    assert main([str(tmp_path), "--out", str(tmp_path / "b.zip"), "--here"]) == 2
    assert "workout-0" in capsys.readouterr().err


def test_a_cell_of_another_shape_is_refused(trained_folder: Path, tmp_path: Path) -> None:
    inputs = keras.Input(batch_shape=(1, 3))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / CELL)
    with pytest.raises(ConversionError, match=r"the Keras model takes inputs of shape \(3,\), it was given \(59,\)"):
        convert(read_manifest(trained_folder), tmp_path, {})
