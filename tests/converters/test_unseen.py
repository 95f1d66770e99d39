"""What quantising costs people that a network has not seen is measured on the networks that training kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from converters.choose import FALLBACK
from converters.compare import Environments
from converters.errors import ConversionError
from converters.recipes import BY_NAME
from converters.unseen import Unseen, page, unseen
from edge_agent.inference.runtime import RUNTIMES
from training.activity.crossval import train_folds
from training.activity.dataset import Dataset, load
from training.activity.fit import Settings, Trainer
from training.activity.folds import folds

BRIEF = Settings(steps=2, batch=16)


@pytest.fixture(scope="module")
def dataset(acceleration: Path) -> Dataset:
    return load(acceleration)


@pytest.fixture(scope="module")
def networks(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What edge-train keeps of the people left out, hardly trained."""
    folder: Path = tmp_path_factory.mktemp("networks")
    train_folds(dataset, folds(dataset.sessions), Trainer(BRIEF), seeds=1, keep=folder)
    return folder


@pytest.fixture(scope="module")
def found(dataset: Dataset, networks: Path, environments: Environments) -> list[Unseen]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("converters.unseen.SEQUENCE", 20)  # float32 needs no ranges
        return unseen(networks, dataset, environments, settings=BRIEF, recipes=[BY_NAME[FALLBACK]])


def test_everybody_is_answered_by_a_network_that_has_not_seen_them(found: list[Unseen], dataset: Dataset) -> None:
    assert [(u.recipe, u.runtime) for u in found] == [(FALLBACK, runtime) for runtime in RUNTIMES]
    assert {u.windows for u in found} == {len(dataset.windows)}


def test_float32_says_what_the_float_networks_say(found: list[Unseen]) -> None:
    for u in found:
        assert u.agreement == 1.0
        assert u.form_f1 == u.float_f1


def test_the_page_has_a_row_for_each_form_runtime_and_part(found: list[Unseen], environments: Environments) -> None:
    rows = [line for line in page(found, environments).splitlines() if line.startswith("| `")]
    assert len(rows) == len(found)
    assert all("| +0.00 | 1.0000 |" in row for row in rows)


def test_networks_of_another_training_are_not_mistaken_for_these(
    dataset: Dataset, networks: Path, environments: Environments
) -> None:
    with pytest.raises(ConversionError, match="no such network; train with edge-train activity"):
        unseen(networks, dataset, environments, settings=Settings(steps=3, batch=16))
