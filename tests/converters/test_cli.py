from __future__ import annotations

from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from converters.cli import main
from converters.errors import ConversionError
from converters.pack import convert
from converters.recipes import LITERT, TFLITE_RUNTIME, Recipe, dynamic_wi8_per_tensor
from edge_agent.inference.bundle import StreamingCell, read_bundle
from edge_agent.inference.runtime import RUNTIMES, Cell, golden_error
from training.manifest import CELL, MANIFEST, read_manifest


@pytest.fixture(scope="module")
def bundle_file(trained_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bundle") / "workout.zip"
    assert main([str(trained_folder), "--out", str(out)]) == 0
    return out


def test_a_bundle_holds_every_form_with_the_runtimes_it_was_verified_on(bundle_file: Path) -> None:
    variants = {v.recipe: v for v in read_bundle(bundle_file).manifest.variants}
    assert list(variants) == ["float32", "dynamic_wi8_afp32", "dynamic_wi8_per_tensor"]
    assert variants["float32"].runtimes == (TFLITE_RUNTIME, LITERT)
    assert variants["dynamic_wi8_per_tensor"].runtimes == (TFLITE_RUNTIME, LITERT)
    assert variants["dynamic_wi8_afp32"].runtimes == (LITERT,)


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


def test_packing_again_gives_the_same_bytes(bundle_file: Path, trained_folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    convert(read_manifest(trained_folder), trained_folder, again)
    assert again.read_bytes() == bundle_file.read_bytes()


def test_the_card_tells_data_licence_error_and_limits(bundle_file: Path) -> None:
    card = bundle_file.with_suffix(".md").read_text()
    assert "| synthetic | own | own recordings | 2 | 1.5 |" in card
    assert "| held-out sessions | persistence | 1.60 | 3.90 | 6.10 |" in card
    assert "- No medical device." in card
    assert "| `dynamic_wi8_per_tensor` | tflite-runtime |" in card


def test_a_recipe_beyond_its_limit_is_left_out(trained_folder: Path, tmp_path: Path) -> None:
    strict = Recipe(dynamic_wi8_per_tensor, (TFLITE_RUNTIME,), limit_bpm=1e-9)
    with pytest.raises(ConversionError, match=r"no recipe holds .*dynamic_wi8_per_tensor on tflite-runtime"):
        convert(read_manifest(trained_folder), trained_folder, tmp_path / "b.zip", recipes=(strict,))
    assert not (tmp_path / "b.zip").exists()


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "b.zip")]) == 2
    error = capsys.readouterr().err
    assert MANIFEST in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"not a zip"])
def test_a_damaged_cell_is_one_sentence(
    content: bytes, trained_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / MANIFEST).write_bytes((trained_folder / MANIFEST).read_bytes())
    (tmp_path / CELL).write_bytes(content)
    assert main([str(tmp_path), "--out", str(tmp_path / "b.zip")]) == 2
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
    assert main([str(tmp_path), "--out", str(tmp_path / "b.zip")]) == 2
    assert "workout-0" in capsys.readouterr().err


def test_a_cell_of_another_shape_is_refused(trained_folder: Path, tmp_path: Path) -> None:
    inputs = keras.Input(batch_shape=(1, 3))
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).save(tmp_path / CELL)
    with pytest.raises(ConversionError, match="does not fit its manifest"):
        convert(read_manifest(trained_folder), tmp_path, tmp_path / "b.zip")
