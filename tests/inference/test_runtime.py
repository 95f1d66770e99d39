"""A form of the model is used when it answers the golden pairs, on the runtime it is going to run on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_agent.errors import BundleError
from edge_agent.inference import choice
from edge_agent.inference.bundle import Bundle, Variant, read_bundle
from edge_agent.inference.choice import open_cell
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.recovery import SHIPPED_BUNDLE as RECOVERY_BUNDLE
from edge_agent.inference.runtime import RUNTIMES, Cell, golden_error


def with_variants(bundle: Bundle, *variants: Variant) -> Bundle:
    return dataclasses.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, variants=variants))


def test_the_shipped_bundle_is_small_and_runs_here(bundle: Bundle) -> None:
    assert SHIPPED_BUNDLE.stat().st_size < 300_000
    assert open_cell(bundle).recipe == bundle.manifest.variants[0].recipe


@pytest.mark.parametrize("path", [SHIPPED_BUNDLE, RECOVERY_BUNDLE], ids=lambda path: path.stem)
def test_every_shipped_form_answers_the_golden_pairs_on_every_runtime_it_names(path: Path) -> None:
    bundle = read_bundle(path)
    named = [(variant, name) for variant in bundle.manifest.variants for name in variant.runtimes]
    assert {name for _, name in named} == set(RUNTIMES)
    for variant, name in named:
        model = bundle.models[variant.recipe]
        cell = Cell(model, recipe=variant.recipe, runtime=name, state_size=bundle.manifest.cell.state_size)
        assert golden_error(cell, bundle) <= variant.tolerance, (variant.recipe, name)


def test_a_form_that_answers_wrongly_is_passed_over(bundle: Bundle) -> None:
    first, second, *_ = bundle.manifest.variants
    wrong = dataclasses.replace(
        with_variants(bundle, first, second),
        models={first.recipe: bundle.models[first.recipe], second.recipe: bundle.models[second.recipe]},
        golden_outputs=bundle.golden_outputs,
    )
    strict = with_variants(wrong, msgspec.structs.replace(first, tolerance=-1.0), second)
    assert open_cell(strict).recipe == second.recipe


def test_when_no_form_answers_rightly_the_reason_is_named(bundle: Bundle) -> None:
    off = dataclasses.replace(bundle, golden_outputs=bundle.golden_outputs + np.float32(5))
    with pytest.raises(BundleError, match=r"float32 on tflite-runtime: 5 off the golden pairs"):
        open_cell(off)


def test_an_answer_that_is_not_a_number_is_wrong(bundle: Bundle) -> None:
    nan = dataclasses.replace(bundle, golden_inputs=np.full_like(bundle.golden_inputs, np.nan))
    with pytest.raises(BundleError, match="nan off"):
        open_cell(nan)


def test_a_model_that_does_not_load_is_passed_over_with_its_reason(bundle: Bundle) -> None:
    broken = dataclasses.replace(bundle, models=dict.fromkeys(bundle.models, b"no model"))
    with pytest.raises(BundleError, match=r"float32 on tflite-runtime: \w+"):
        open_cell(broken)


def test_a_runtime_that_is_not_installed_is_passed_over(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RUNTIMES, "tflite-runtime", "no_such_module")
    assert open_cell(bundle).runtime == "ai-edge-litert"


def test_without_any_runtime_the_remedy_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "RUNTIMES", dict.fromkeys(RUNTIMES, "no_such_module"))
    with pytest.raises(BundleError, match=r"tflite-runtime is not installed.*pip install"):
        open_cell(bundle)


def test_a_model_of_another_shape_is_refused(bundle: Bundle) -> None:
    variant = bundle.manifest.variants[0]
    with pytest.raises(ValueError, match="expected one value and one state of 7"):
        Cell(bundle.models[variant.recipe], recipe=variant.recipe, runtime="tflite-runtime", state_size=7)
