"""What ships is made of the trained models in `models/`, by the recipes that its manifest names."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.choose import BUDGETS_BYTES
from converters.forms import make_forms
from converters.recipes import BY_NAME
from edge_agent import models
from edge_agent.inference.archive import sha256
from edge_agent.inference.bundle import read_bundle
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
    exact = [BY_NAME[v.recipe] for v in manifest.variants if not BY_NAME[v.recipe].integer]
    forms = make_forms(folder / CELL, exact)
    hashes = {v.recipe: v.sha256 for v in manifest.variants}
    assert {recipe: sha256(model) for recipe, model in forms.models.items()} == {r.name: hashes[r.name] for r in exact}


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("task", BUDGETS_BYTES)
def test_what_a_device_prefers_is_within_its_budget(task: str, runtime: str) -> None:
    bundle = read_bundle(SHIPPED / f"{task}.zip")
    preferred = next(v.recipe for v in bundle.manifest.variants if runtime in v.runtimes)
    assert len(bundle.models[preferred]) <= BUDGETS_BYTES[task], REMEDY
