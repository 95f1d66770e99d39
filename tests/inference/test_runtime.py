"""A form of the model is used when it answers the golden pairs, on the runtime it is going to run on."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.inference.bundle import Bundle, read_bundle
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from edge_agent.inference.recovery import SHIPPED_BUNDLE as RECOVERY_BUNDLE
from edge_agent.inference.runtime import RUNTIMES, Cell, golden_error


@pytest.mark.parametrize("path", [SHIPPED_BUNDLE, RECOVERY_BUNDLE], ids=lambda path: path.stem)
def test_every_shipped_form_answers_the_golden_pairs_on_every_runtime_it_names(path: Path) -> None:
    bundle = read_bundle(path)
    named = [(variant, name) for variant in bundle.manifest.variants for name in variant.runtimes]
    assert {name for _, name in named} == set(RUNTIMES)
    for variant, name in named:
        model = bundle.models[variant.recipe]
        cell = Cell(model, recipe=variant.recipe, runtime=name, state_size=bundle.manifest.cell.state_size)
        assert golden_error(cell, bundle) <= variant.tolerance, (variant.recipe, name)


def test_a_model_of_another_shape_is_refused(bundle: Bundle) -> None:
    variant = bundle.manifest.variants[0]
    with pytest.raises(ValueError, match="expected one value and one state of 7"):
        Cell(bundle.models[variant.recipe], recipe=variant.recipe, runtime="tflite-runtime", state_size=7)
