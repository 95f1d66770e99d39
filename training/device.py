"""Scores a bundle the way a device runs it: recordings become frames, frames become forecasts, one second at a time."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from edge_agent.inference.bundle import Bundle, read_bundle
from edge_agent.inference.choice import open_cell
from edge_agent.inference.forecast import QUANTILES, WorkoutForecaster
from edge_agent.inference.runtime import RUNTIMES, Cell
from training.alert import thresholds_bpm
from training.athletes import (
    HEART_RATE,
    MIXTURE,
    WITH_LOAD,
    forecast,
    only,
    play_everybody,
    score_alerts,
    score_athletes,
)
from training.baselines import baselines
from training.dataset import HORIZONS_S, PUBLISHED_TEST, Dataset
from training.errors import TrainingError
from training.live_tables import alerts_table, athletes_table
from training.scores import mae_bpm, origins
from training.splits import by_session
from training.tables import table

_MEDIANS = slice(QUANTILES.index(0.5), None, len(QUANTILES))


def evaluate(bundle_file: Path, dataset: Dataset, on_method: Callable[[str], None] = lambda _: None) -> Iterator[str]:
    """Score a bundle, paragraph by paragraph in Markdown.

    First every form of the model on every runtime, the baselines beside, then the expert mixture that the device shows:
    each athlete is unknown at first, and all of the athlete's sessions are played in the order they were made. Scored
    are the sessions of the published test, or, where there are none, those that `by_session` holds out; then every
    athlete. The baselines are fitted to the sessions that the model was trained and validated on.

    Args:
        bundle_file: to score.
        dataset: recordings to score it on.
        on_method: called with each method when it has been scored.

    Raises:
        BundleError: the bundle cannot be used.
        TrainingError: there are too few sessions, no runtime is installed, or one cannot load its form.
    """
    bundle = read_bundle(bundle_file)
    split = by_session(dataset.sessions)
    scored = dataset.published_test or split.scored
    name = PUBLISHED_TEST if dataset.published_test else split.name
    ahead = [f"{h} s" for h in HORIZONS_S]
    counted = "/".join(map(str, origins(scored)))
    yield environment(bundle_file)
    yield f"Mean absolute error in bpm on {name}, {counted} origins at {'/'.join(ahead)}."

    cells = list(_cells(bundle))
    if not cells:
        msg = f"no TFLite runtime is installed ({', '.join(RUNTIMES)}); run: pip install 'heartline[train]'"
        raise TrainingError(msg)
    rows: list[list[str]] = []

    def add(method: str, mae: Sequence[float], second_us: float | None = None) -> None:
        rows.append([method, *(f"{m:.3f}" for m in mae), "" if second_us is None else f"{second_us:.0f}"])
        on_method(method)

    for baseline in baselines():
        baseline.fit(split.train + split.validation)
        add(baseline.name, mae_bpm(scored, [baseline.predict(s) for s in scored]))
    for cell in cells:
        forecasts = [forecast(WorkoutForecaster(bundle, cell), s) for s in scored]
        second_us = float(np.median([took_us for _, took_us in forecasts]))
        add(
            f"{cell.recipe} on {cell.runtime}", mae_bpm(scored, [made[:, _MEDIANS] for made, _ in forecasts]), second_us
        )
    everything = dataset.sessions + dataset.published_test
    everybody = play_everybody(bundle, open_cell(bundle), everything)
    played = only(everybody, {s.key for s in scored})
    for inputs in (HEART_RATE, WITH_LOAD):
        own = played[inputs]
        sessions, second_us = [p.session for p in own], float(np.median([p.second_us for p in own]))
        add(f"{MIXTURE}, {inputs}", mae_bpm(sessions, [p.mixture[:, _MEDIANS] for p in own]), second_us)
    yield table(["method", *ahead, "one second takes (µs)"], rows)
    yield alerts_table(score_alerts(played, thresholds_bpm(everything)))
    yield (
        "Trained on: "
        + ", ".join(source.name for source in bundle.manifest.data)
        + ". Only other people are new to it."
    )
    yield athletes_table(score_athletes(everybody))


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
                    state_size=bundle.manifest.cell.state_size,
                )
            except ImportError:
                continue
            except Exception as error:
                msg = f"{variant.recipe} on {runtime}: {error}; reinstall heartline in a fresh virtual environment"
                raise TrainingError(msg) from error
