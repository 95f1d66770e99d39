"""The activity model is converted like any other: fed with windows, scored by data set and placement."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from converters.choose import FALLBACK
from converters.compare import Environments
from converters.pack import convert, pack
from converters.recipes import BY_NAME
from converters.tasks import TASKS
from edge_agent.inference.activity import ActivityRecogniser
from edge_agent.inference.bundle import Bundle, read_bundle
from edge_agent.inference.choice import open_classifier
from edge_agent.signals.acceleration import RATE_HZ
from tests.architecture.imports import REPOSITORY
from training.activity.classes import CLASSES
from training.activity.dataset import load
from training.manifest import CELL, MANIFEST, read_manifest

ACTIVITY = TASKS["activity"]
TRAINED = REPOSITORY / "models" / "activity"


@pytest.fixture(scope="module")
def bundle(environments: Environments, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The shipped network in float32 alone: its other forms are made, and looked at, by `make bundles`."""
    folder = tmp_path_factory.mktemp("activity")
    for name in (CELL, MANIFEST):
        shutil.copy(TRAINED / name, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("converters.pack.SEQUENCE", 300)  # windows of half an hour tell as much here as those of a day
        conversion = convert(read_manifest(folder), folder, environments, recipes=[BY_NAME[FALLBACK]])
    assert not conversion.failed
    pack(conversion, folder / "activity.zip")
    return read_bundle(folder / "activity.zip")


def test_a_bundle_holds_its_classes_and_golden_windows(bundle: Bundle) -> None:
    assert bundle.manifest.classifier.labels == CLASSES
    assert bundle.manifest.interface == read_manifest(TRAINED).interface
    np.testing.assert_array_equal(bundle.golden_inputs, ACTIVITY.sequence(300)[: ACTIVITY.golden])


def test_the_bundle_runs_as_on_a_device(bundle: Bundle) -> None:
    model = open_classifier(bundle)
    recogniser = ActivityRecogniser(bundle.manifest.classifier, model.logits, placement="chest", rate_hz=RATE_HZ)
    lying = np.tile(np.array([0.2, 9.7, 0.8], np.float32), (RATE_HZ * 31, 1))
    windows = [found.window for found in [*recogniser.push(lying), *recogniser.finish()]]
    assert [w.activity.label for w in windows] == ["still"] * 6


def test_the_test_set_scores_each_data_set_at_each_placement(acceleration: Path) -> None:
    found, windows = ACTIVITY.test_set(acceleration), load(acceleration).windows
    assert [x.shape for x in found.sequences] == [(len(windows), *read_manifest(TRAINED).interface.input_shape)]
    assert len(found.measures) == 1
    assert found.measures[0].startswith("macro-F1 on ")
    assert found.measures[0].endswith(", wrist")
    right = np.eye(len(CLASSES), dtype=np.float32)[windows.label]
    assert found.score([right]) == [1.0]
    assert found.score([np.zeros_like(right)])[0] < 0.2  # all of them the first class
