from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from converters.compare import Environments
from converters.environments import here
from converters.forms import Forms, make_forms
from converters.recipes import RECIPES
from converters.verify import Array
from edge_agent.inference.bundle import DataSource, Metric, StreamingCell
from edge_agent.inference.forecast import QUANTILES
from edge_agent.signals.features import CONTRACT, FEATURE_NAMES, feature_matrix
from tests.training.activity.conftest import ACTIVITIES, movement, write
from training.dataset import HORIZONS_S
from training.golden import golden_frames
from training.manifest import CELL, TrainingManifest, write_manifest
from training.workout.model import build_cell

HIDDEN = 16  # above 1024 weights per matrix: below, the converter leaves them in float32


@pytest.fixture(scope="session")
def trained_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What edge-train writes, with a small cell that nobody trained."""
    folder = tmp_path_factory.mktemp("trained")
    keras.utils.set_random_seed(5)
    cell = build_cell(len(FEATURE_NAMES), HIDDEN)
    cell.save(folder / CELL)
    manifest = TrainingManifest(
        task="workout",
        version="0.0.0+test",
        interface=StreamingCell(CONTRACT, FEATURE_NAMES, 2 * HIDDEN, HORIZONS_S, QUANTILES),
        data=(DataSource("synthetic", "own", "own recordings", 2, 1.5),),
        metrics=(
            Metric("held-out sessions", "persistence", "mae_bpm", 1.6, 10),
            Metric("held-out sessions", "persistence", "mae_bpm", 3.9, 30),
            Metric("held-out sessions", "persistence", "mae_bpm", 6.1, 60),
        ),
        limits=("No medical device.",),
    )
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="session")
def environments() -> Environments:
    """Both runtimes as they are installed here: quick, on one numpy."""
    return here()


@pytest.fixture(scope="session")
def x() -> Array:
    return feature_matrix(golden_frames(1200))[0]


@pytest.fixture(scope="session")
def forms(trained_folder: Path, x: Array) -> Forms:
    """The small cell by every recipe."""
    return make_forms(trained_folder / CELL, RECIPES, calibration=x, sequences=[x])


@pytest.fixture(scope="session")
def save(tmp_path_factory: pytest.TempPathFactory) -> Callable[[keras.Model], Path]:
    """Save a Keras model, give the file."""

    def saved(model: keras.Model) -> Path:
        path: Path = tmp_path_factory.mktemp("keras") / "model.keras"
        model.save(path)
        return path

    return saved


@pytest.fixture(scope="session")
def acceleration(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, some activities at the wrist."""
    folder: Path = tmp_path_factory.mktemp("acceleration")
    for person in range(2):
        for activity in ACTIVITIES:
            write(folder / f"p{person}" / f"{activity}.csv", movement(activity, person, 31), (activity, "wrist"))
    return folder
