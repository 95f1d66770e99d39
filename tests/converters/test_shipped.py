"""What ships is made of the trained models in `models/`, by the recipes that its manifest names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converters.choose import BUDGETS_BYTES
from converters.environments import Environment, here
from converters.forms import make_forms
from converters.measure import measure
from converters.recipes import BY_NAME
from edge_agent import models
from edge_agent.inference.bundle import Bundle, StreamingCell, read_bundle
from edge_agent.inference.runtime import RUNTIMES
from tests.architecture.imports import REPOSITORY
from training.manifest import CELL, read_manifest

TRAINED = sorted(path for path in (REPOSITORY / "models").iterdir() if path.is_dir())
SHIPPED = Path(models.__file__).parent
REMEDY = "train and convert again, or: make bundles"


def test_every_shipped_bundle_has_its_trained_model() -> None:
    assert {path.stem for path in SHIPPED.glob("*.zip")} == {path.name for path in TRAINED}, REMEDY
    assert {path.stem for path in SHIPPED.glob("*.md")} == {path.name for path in TRAINED}, REMEDY


@pytest.mark.parametrize("folder", TRAINED, ids=lambda path: path.name)
def test_a_shipped_bundle_is_what_its_trained_model_converts_to(folder: Path) -> None:
    bundle, trained = read_bundle(SHIPPED / f"{folder.name}.zip"), read_manifest(folder)
    manifest = bundle.manifest
    assert (manifest.task, manifest.version) == (folder.name, trained.version), REMEDY
    assert (manifest.interface, manifest.data, manifest.metrics) == (trained.interface, trained.data, trained.metrics)
    exact = {v.recipe: v for v in manifest.variants if not BY_NAME[v.recipe].integer}
    forms = make_forms(folder / CELL, [BY_NAME[recipe] for recipe in exact])
    assert set(forms.models) == set(exact)
    environments = here()
    for recipe, model in forms.models.items():
        # The bytes are the same on the same kind of processor; on another the last bit of a constant may not be.
        assert len(model) == len(bundle.models[recipe]), REMEDY
        off = [
            deviation(model, bundle, environment)
            for runtime in exact[recipe].runtimes
            if isinstance(environment := environments[runtime], Environment)
        ]
        assert off, f"{recipe}: none of its runtimes is installed here"
        assert max(off) <= exact[recipe].tolerance, REMEDY


def deviation(model: bytes, bundle: Bundle, environment: Environment) -> float:
    interface = bundle.manifest.interface
    state_size = interface.state_size if isinstance(interface, StreamingCell) else None
    measured = measure(model, environment, [bundle.golden_inputs], state_size=state_size)
    return float(np.abs(measured.answers[0] - bundle.golden_outputs).max())


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("task", BUDGETS_BYTES)
def test_what_a_device_prefers_is_within_its_budget(task: str, runtime: str) -> None:
    bundle = read_bundle(SHIPPED / f"{task}.zip")
    preferred = next(v.recipe for v in bundle.manifest.variants if runtime in v.runtimes)
    assert len(bundle.models[preferred]) <= BUDGETS_BYTES[task], REMEDY
