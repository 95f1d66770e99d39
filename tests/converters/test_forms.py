"""Every recipe on every kind of model gives a form or one sentence, whatever happens to the converter."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from converters import forms as forms_module
from converters.errors import ConversionError
from converters.flatbuffer import lacking, operators
from converters.forms import Forms, make_forms
from converters.keras_file import recurrent_loops
from converters.recipes import BY_NAME, LITERT, RECIPES, TFLITE_RUNTIME

Save = Callable[[keras.Model], Path]


def cnn() -> keras.Model:
    """A compact classifier of windows that nobody trained."""
    keras.utils.set_random_seed(3)
    window = keras.Input(batch_shape=(1, 64, 3), name="window")
    hidden = keras.layers.SeparableConv1D(32, 5, activation="relu", strides=2)(window)
    hidden = keras.layers.SeparableConv1D(64, 5, activation="relu", strides=2)(hidden)
    hidden = keras.layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(window, keras.layers.Dense(4)(keras.layers.Dense(64, activation="relu")(hidden)))


def lstm(*, unroll: bool) -> keras.Model:
    window = keras.Input(batch_shape=(1, 12, 3))
    return keras.Model(window, keras.layers.Dense(2)(keras.layers.LSTM(8, unroll=unroll, name="memory")(window)))


def windows(samples: int, count: int = 200) -> np.ndarray[tuple[int, int, int], np.dtype[np.float32]]:
    return np.random.default_rng(0).normal(size=(count, samples, 3)).astype(np.float32)


def test_a_one_step_cell_converts_by_every_recipe_but_the_one_without_its_operators(forms: Forms) -> None:
    assert list(forms.models) == [r.name for r in RECIPES if r.name != "int16x8"]
    assert "not yet supported for op: 'ELU'" in forms.refused["int16x8"]


def test_fewer_bits_take_fewer_bytes(forms: Forms) -> None:
    sizes = {recipe: len(model) / len(forms.models["float32"]) for recipe, model in forms.models.items()}
    assert sizes["float16"] < 0.8
    assert sizes["dynamic_wi8_afp32"] < 0.8
    assert sizes["dynamic_wi8_per_tensor"] < sizes["dynamic_wi8_afp32"]


def test_a_loop_is_refused_an_integer_recipe_before_the_converter_crashes_on_it(save: Save) -> None:
    path, x = save(lstm(unroll=False)), windows(12)
    assert recurrent_loops(path) == ["memory"]
    assert recurrent_loops(save(lstm(unroll=True))) == []
    made = make_forms(path, RECIPES, calibration=x)
    assert list(made.models) == ["float32", "float16", "dynamic_wi8_afp32", "dynamic_wi8_per_tensor"]
    for recipe in ("full_int8", "int16x8"):
        assert made.refused[recipe].startswith("the recurrent layer memory becomes a WHILE loop")


def test_a_crash_of_the_converter_costs_the_recipe_alone(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    """The crash itself, not foreseen: what the child does to a loop when nobody looks first."""
    monkeypatch.setattr(forms_module, "recurrent_loops", lambda _: [])
    recipes = [BY_NAME[name] for name in ("float32", "full_int8", "float16")]
    made = make_forms(save(lstm(unroll=False)), recipes, calibration=windows(12))
    assert list(made.models) == ["float32", "float16"]
    assert made.refused["full_int8"] == "the converter crashed (SIGSEGV)"


def test_an_operator_that_needs_flex_and_calibration_inputs_that_are_not_there_are_named(save: Save) -> None:
    x = keras.Input(batch_shape=(1, 8))
    y = keras.ops.svd(keras.ops.reshape(x, (1, 4, 2)), compute_uv=False)
    made = make_forms(save(keras.Model(x, y)), [BY_NAME["float32"], BY_NAME["full_int8"]])
    assert made.refused == {
        "float32": "it needs the TensorFlow operators Svd (Flex), which no TFLite runtime here has",
        "full_int8": "it needs calibration inputs and there are none",
    }


def test_what_is_no_keras_model_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"not a zip")
    with pytest.raises(ConversionError, match=r"model\.keras: not a Keras model"):
        make_forms(path, RECIPES)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(ConversionError, match=r"cannot be run \(failed: .*\); train it again") as caught:
        make_forms(path, RECIPES, sequences=[windows(12)])
    assert "\n" not in str(caught.value)


def test_operators_are_counted_with_their_versions(forms: Forms) -> None:
    assert operators(forms.models["float32"])["FULLY_CONNECTED", 1] == 3
    assert operators(forms.models["dynamic_wi8_afp32"])["FULLY_CONNECTED", 12] == 3


def test_an_operator_newer_than_the_runtime_is_known_before_it_is_run(forms: Forms) -> None:
    model = forms.models["dynamic_wi8_afp32"]
    assert lacking(model, TFLITE_RUNTIME) == "it needs FULLY_CONNECTED version 12, and the runtime ends at version 10"
    assert lacking(model, LITERT) is None
    assert lacking(forms.models["dynamic_wi8_per_tensor"], TFLITE_RUNTIME) is None


@pytest.mark.parametrize("content", [b"", b"TFL3", b"no model" * 40])
def test_bytes_that_are_no_model_have_no_operators(content: bytes) -> None:
    with pytest.raises(ConversionError, match="no TFLite model"):
        operators(content)
