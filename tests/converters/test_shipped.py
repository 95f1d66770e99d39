"""What ships is made of the trained models in `models/`, by the recipes that its manifest names."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from converters.choose import BUDGETS_BYTES
from converters.forms import make_forms
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
    for recipe, model in forms.models.items():
        # The bytes are the same on the same kind of processor; on another the last bit of a constant may not be.
        assert len(model) == len(bundle.models[recipe]), REMEDY
        assert deviation(model, bundle, exact[recipe].runtimes[0]) <= exact[recipe].tolerance, REMEDY


def deviation(model: bytes, bundle: Bundle, runtime: str) -> float:
    """From the golden pairs, in a process of its own: not every runtime can be loaded beside tensorflow."""
    pairs = io.BytesIO()
    content = np.frombuffer(model, np.uint8)
    np.savez(pairs, model=content, inputs=bundle.golden_inputs, outputs=bundle.golden_outputs)
    interface = bundle.manifest.interface
    state_size = interface.state_size if isinstance(interface, StreamingCell) else 0
    child = [sys.executable, "-m", "edge_agent.inference.probe", runtime, str(state_size)]
    return float(subprocess.run(child, input=pairs.getvalue(), capture_output=True, check=True).stdout)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("task", BUDGETS_BYTES)
def test_what_a_device_prefers_is_within_its_budget(task: str, runtime: str) -> None:
    bundle = read_bundle(SHIPPED / f"{task}.zip")
    preferred = next(v.recipe for v in bundle.manifest.variants if runtime in v.runtimes)
    assert len(bundle.models[preferred]) <= BUDGETS_BYTES[task], REMEDY
