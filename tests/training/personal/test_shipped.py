from __future__ import annotations

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest

from converters.forms import make_forms
from converters.recipes import BY_NAME
from edge_agent.inference.bundle import Bundle, read_bundle
from edge_agent.inference.forecast import SHIPPED_BUNDLE
from training.errors import TrainingError
from training.personal.shipped import cell_of


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle(SHIPPED_BUNDLE)


def test_the_shipped_weights_convert_and_back_without_a_change(bundle: Bundle, tmp_path: Path) -> None:
    cell = cell_of(bundle)
    cell.save(tmp_path / "cell.keras")
    again = dataclasses.replace(bundle, models=make_forms(tmp_path / "cell.keras", [BY_NAME["float32"]]).models)
    for ours, theirs in zip(cell_of(again).get_weights(), cell.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_weights_that_miss_the_golden_pairs_are_refused(bundle: Bundle) -> None:
    with pytest.raises(TrainingError, match="bpm off its golden pairs"):
        cell_of(dataclasses.replace(bundle, golden_outputs=bundle.golden_outputs + 0.1))


def test_a_bundle_of_another_shape_is_refused(bundle: Bundle) -> None:
    interface = msgspec.structs.replace(bundle.manifest.cell, state_size=130)
    larger = msgspec.structs.replace(bundle.manifest, interface=interface)
    with pytest.raises(TrainingError, match="0 constants of shape"):
        cell_of(dataclasses.replace(bundle, manifest=larger))


def test_a_bundle_without_its_float_form_is_refused(bundle: Bundle) -> None:
    quantised = tuple(v for v in bundle.manifest.variants if v.recipe != "float32")
    with pytest.raises(TrainingError, match="no float32 form"):
        cell_of(dataclasses.replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, variants=quantised)))
