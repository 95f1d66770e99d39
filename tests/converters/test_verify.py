"""What a form answers and costs is measured on the runtime itself, and a runtime that fails is one sentence."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from converters.compare import Environments
from converters.environments import Environment
from converters.errors import ConversionError
from converters.forms import Forms
from converters.measure import measure
from converters.recipes import LITERT, TFLITE_RUNTIME
from converters.verify import Array, deviation
from tests.converters.conftest import HIDDEN

_STATE_SIZE = 2 * HIDDEN
_PAIRS = [
    ("float32", TFLITE_RUNTIME, 1e-4),
    ("float32", LITERT, 1e-4),
    ("float16", TFLITE_RUNTIME, 0.05),
    ("float16", LITERT, 0.05),
    ("dynamic_wi8_afp32", LITERT, 2.0),
    ("dynamic_wi8_per_tensor", TFLITE_RUNTIME, 2.0),
    ("dynamic_wi8_per_tensor", LITERT, 2.0),
]


def environment(environments: Environments, runtime: str) -> Environment:
    found = environments[runtime]
    assert isinstance(found, Environment)
    return found


@pytest.mark.parametrize(("recipe", "runtime", "limit_bpm"), _PAIRS)
def test_a_form_answers_as_keras_does(
    *, recipe: str, runtime: str, limit_bpm: float, forms: Forms, x: Array, environments: Environments
) -> None:
    where = environment(environments, runtime)
    measured = measure(forms.models[recipe], where, [x], state_size=_STATE_SIZE)
    off = deviation(measured.answers, forms.answers)
    assert off.largest <= limit_bpm
    assert off.mean <= off.largest
    assert (off.largest > 1e-4) == (recipe != "float32")
    assert 0 < measured.us_low <= measured.us <= measured.us_high
    assert 10 < measured.peak_mb < 500


def test_every_sequence_starts_from_zero_state(forms: Forms, x: Array, environments: Environments) -> None:
    where = environment(environments, LITERT)
    once, again, later = measure(
        forms.models["float32"], where, [x[:50], x[:50], x[50:90]], state_size=_STATE_SIZE
    ).answers
    np.testing.assert_array_equal(once, again)
    assert later.shape == (40, 9)


def test_a_form_with_an_operator_the_runtime_lacks_is_not_run(
    forms: Forms, x: Array, environments: Environments
) -> None:
    where = environment(environments, TFLITE_RUNTIME)
    with pytest.raises(ConversionError, match=r"^it needs FULLY_CONNECTED version 12, and the runtime ends at"):
        measure(forms.models["dynamic_wi8_afp32"], where, [x], state_size=_STATE_SIZE)


def test_a_cell_of_another_state_is_one_sentence(forms: Forms, x: Array, environments: Environments) -> None:
    where = environment(environments, LITERT)
    with pytest.raises(ConversionError, match="expected one value and one state of 7") as caught:
        measure(forms.models["float32"], where, [x], state_size=7)
    assert "\n" not in str(caught.value)


def test_a_crash_of_the_runtime_names_the_signal(
    forms: Forms, x: Array, environments: Environments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A runtime that dies on import, put in the place of the real one for the child alone.
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    with pytest.raises(ConversionError, match=r"^the runtime crashed \(SIGSEGV\)$"):
        measure(forms.models["float32"], environment(environments, LITERT), [x], state_size=_STATE_SIZE)


def test_a_deviation_is_measured_against_the_float_answers() -> None:
    expected = [np.array([[3.0, 4.0], [0.0, 5.0]], np.float32), np.array([[1.0, 0.0]], np.float32)]
    answers = [np.array([[3.0, 4.5], [0.0, 5.0]], np.float32), np.array([[0.0, 1.0]], np.float32)]
    off = deviation(answers, expected)
    assert off.largest == 1.0
    assert off.mean == pytest.approx(2.5 / 6)
    assert off.last_mean == 0.0  # the last second of the longest sequence
    assert off.snr_db == pytest.approx(10 * math.log10(51.0 / 2.25))
    assert off.agreement == pytest.approx(2 / 3)


def test_equal_answers_have_no_noise() -> None:
    same = [np.ones((2, 2), np.float32)]
    assert deviation(same, same).snr_db == math.inf
