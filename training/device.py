"""Scores a bundle the way a device runs it: recordings become frames, frames become forecasts, one second at a time."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.bundle import Bundle, read_bundle
from edge_agent.inference.forecast import WorkoutForecaster
from edge_agent.inference.runtime import RUNTIMES, Cell
from training.baselines import baselines
from training.dataset import HORIZONS_S, PUBLISHED_TEST, Dataset, Session
from training.errors import TrainingError
from training.scores import mae_bpm, origins
from training.splits import by_session


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        method: a baseline, or a form of the model on a runtime.
        mae_bpm: mean absolute error by horizon.
        second_us: median time of one second of the whole forecast in microseconds, None for a baseline.
    """

    method: str
    mae_bpm: list[float]
    second_us: float | None = None


def evaluate(bundle_file: Path, dataset: Dataset) -> Iterator[Row]:
    """Score every form in a bundle on every runtime it names, with the baselines beside.

    Scored are the sessions of the published test, or, where there are none, those that `by_session` holds out. The
    baselines are fitted to the sessions that the model was trained and validated on.

    Raises:
        BundleError: the bundle cannot be used.
        TrainingError: there are too few sessions, no runtime is installed, or one cannot load its form.
    """
    bundle = read_bundle(bundle_file)
    split = by_session(dataset.sessions)
    scored = dataset.published_test or split.scored
    for baseline in baselines():
        baseline.fit(split.train + split.validation)
        yield Row(baseline.name, mae_bpm(scored, [baseline.predict(s) for s in scored]))
    cells = list(_cells(bundle))
    if not cells:
        msg = f"no TFLite runtime is installed ({', '.join(RUNTIMES)}); run: pip install 'heartline[train]'"
        raise TrainingError(msg)
    for cell in cells:
        yield _play(bundle, cell, scored)


def scored_name(dataset: Dataset) -> str:
    """What `evaluate` scores, in words."""
    return PUBLISHED_TEST if dataset.published_test else "held-out sessions"


def scored_origins(dataset: Dataset) -> list[int]:
    """How many origins `evaluate` scores at each horizon."""
    return origins(dataset.published_test or by_session(dataset.sessions).scored)


def environment(bundle: Path) -> str:
    """Bundle, machine and versions, in one line."""
    versions = []
    for name in ("numpy", *RUNTIMES):
        try:
            versions.append(f"{name} {version(name)}")
        except ImportError:  # PackageNotFoundError is one
            versions.append(f"{name} not installed")
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{bundle.name} {read_bundle(bundle).manifest.version}; {machine}, {', '.join(versions)}"


def _cells(bundle: Bundle) -> Iterator[Cell]:
    for variant in bundle.manifest.variants:
        for runtime in variant.runtimes:
            try:
                yield Cell(
                    bundle.models[variant.recipe],
                    recipe=variant.recipe,
                    runtime=runtime,
                    state_size=bundle.manifest.state_size,
                )
            except ImportError:
                continue
            except Exception as error:
                msg = f"{variant.recipe} on {runtime}: {error}; reinstall heartline in a fresh virtual environment"
                raise TrainingError(msg) from error


def _play(bundle: Bundle, cell: Cell, sessions: list[Session]) -> Row:
    medians = []
    took_ns: list[int] = []
    for session in sessions:
        forecaster = WorkoutForecaster(bundle, cell)
        change_bpm: NDArray[np.float32] = np.full((len(session.x), len(HORIZONS_S)), np.nan, np.float32)
        for second, frame in enumerate(session.recording.frames()):
            start_ns = time.perf_counter_ns()
            forecast = forecaster.step(frame)
            took_ns.append(time.perf_counter_ns() - start_ns)
            for column, horizon_s in enumerate(HORIZONS_S):
                if (quantiles := forecast[horizon_s]) is not None:
                    change_bpm[second, column] = quantiles.q50 - session.anchor_bpm[second]
        medians.append(change_bpm)
    return Row(f"{cell.recipe} on {cell.runtime}", mae_bpm(sessions, medians), float(np.median(took_ns)) / 1000)
