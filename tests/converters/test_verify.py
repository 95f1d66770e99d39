from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from converters.errors import ConversionError
from converters.recipes import LITERT, RECIPES, TFLITE_RUNTIME, Recipe
from converters.verify import compare, keras_answers
from edge_agent.inference.bundle import StreamingCell
from edge_agent.signals.features import feature_matrix
from training.golden import golden_frames
from training.manifest import CELL, read_manifest

_PAIRS = [(recipe, runtime) for recipe in RECIPES for runtime in recipe.runtimes]


@pytest.fixture(scope="module")
def x() -> NDArray[np.float32]:
    return feature_matrix(golden_frames(1200))[0]


@pytest.fixture(scope="module")
def cell(trained_folder: Path) -> keras.Model:
    return keras.models.load_model(trained_folder / CELL)


@pytest.fixture(scope="module")
def expected(cell: keras.Model, x: NDArray[np.float32]) -> NDArray[np.float32]:
    return keras_answers(cell, x)


@pytest.fixture(scope="module")
def models(cell: keras.Model) -> dict[str, bytes]:
    return {recipe.name: recipe.convert(cell) for recipe in RECIPES}


@pytest.mark.parametrize(("recipe", "runtime"), _PAIRS, ids=lambda value: getattr(value, "name", value))
def test_a_converted_cell_answers_as_keras_does(
    *,
    recipe: Recipe,
    runtime: str,
    models: dict[str, bytes],
    x: NDArray[np.float32],
    expected: NDArray[np.float32],
    trained_folder: Path,
) -> None:
    interface = read_manifest(trained_folder).interface
    assert isinstance(interface, StreamingCell)
    state_size = interface.state_size
    comparison = compare(
        models[recipe.name],
        recipe=recipe.name,
        runtime=runtime,
        x=x,
        expected=expected,
        state_size=state_size,
    )
    assert comparison.max_error_bpm <= recipe.limit_bpm
    assert comparison.last_error_bpm <= comparison.max_error_bpm
    if recipe.name != "float32":
        assert comparison.max_error_bpm > 0


def test_eight_bit_weights_are_smaller(models: dict[str, bytes]) -> None:
    assert len(models["dynamic_wi8_afp32"]) < 0.7 * len(models["float32"])
    assert len(models["dynamic_wi8_per_tensor"]) < 0.7 * len(models["float32"])


def test_a_form_the_runtime_does_not_know_is_one_sentence(
    models: dict[str, bytes], x: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    with pytest.raises(ConversionError, match=r"^dynamic_wi8_afp32 on tflite-runtime: .*use another recipe$") as caught:
        compare(
            models["dynamic_wi8_afp32"],
            recipe="dynamic_wi8_afp32",
            runtime=TFLITE_RUNTIME,
            x=x,
            expected=expected,
            state_size=32,
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [b"", b"TFL3 but not really" * 40])
def test_a_model_that_brings_the_runtime_down_is_one_sentence(
    damage: bytes, x: NDArray[np.float32], expected: NDArray[np.float32]
) -> None:
    with pytest.raises(ConversionError, match=r"^float32 on ai-edge-litert: ") as caught:
        compare(damage, recipe="float32", runtime=LITERT, x=x, expected=expected, state_size=32)
    assert "\n" not in str(caught.value)


def test_a_crash_of_the_child_names_the_signal(
    models: dict[str, bytes],
    x: NDArray[np.float32],
    expected: NDArray[np.float32],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A runtime that dies on import, put in the place of the real one for the child alone.
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with pytest.raises(ConversionError, match=r"the runtime crashed \(SIGSEGV\)"):
        compare(models["float32"], recipe="float32", runtime=LITERT, x=x, expected=expected, state_size=32)
