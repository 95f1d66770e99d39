"""Fine-tunes the shipped cell, and scores it beside the shipped one on sessions that came later."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge_agent import __version__
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.forecast import QUANTILES
from training.baselines import Persistence
from training.dataset import HORIZONS_S, Dataset, Session
from training.manifest import CELL, TrainingManifest, mae_metrics, sources, write_manifest
from training.personal.shipped import cell_of
from training.personal.split import by_time, in_time_order
from training.personal.verdict import PERSISTENCE, SHIPPED, TUNED, Outcome
from training.scores import mae_bpm, origins
from training.splits import Split
from training.workout.fit import Epoch, Judge, Settings, fit

# The person varies less than people do, and what is known already is not to be unlearned.
SETTINGS = Settings(epochs=30, patience=8, learning_rate=1e-3, person_spread=0.1)

_LIMITS = (
    "No medical device: it must not be used to diagnose, to treat, or to decide whether exercise is safe.",
    "Fine-tuned to one person's recordings; anybody else is better served by the shipped model.",
    "Heart rate from a sensor that slips or locks onto cadence gives forecasts of that artefact.",
)


@dataclass(frozen=True, slots=True, eq=False)
class Personal:
    """What fine-tuning came to.

    Attributes:
        cell: the fine-tuned one.
        split: what it learned from and was scored on.
        left_out: sessions that overlap others in time.
        outcome: errors on the last sessions.
    """

    cell: keras.Model
    split: Split
    left_out: list[Session]
    outcome: Outcome


def personalise(
    dataset: Dataset,
    bundle: Bundle,
    *,
    settings: Settings = SETTINGS,
    seed: int = 0,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Personal:
    """Fine-tune the cell of a bundle to the person whose sessions these are.

    Args:
        dataset: one person's recordings.
        bundle: holds the model to start from.
        settings: how to train; the number of units is the bundle's.
        seed: of the order of sessions and all variation.
        on_epoch: called after each epoch.

    Raises:
        TrainingError: there are too few sessions, their order is unknown, or the bundle has no weights to start from.
    """
    ordered, left_out = in_time_order(dataset.sessions)
    split = by_time(ordered)
    shipped = cell_of(bundle)
    fitted = fit(
        split.train,
        split.validation,
        seed=seed,
        settings=dataclasses.replace(
            settings, hidden=bundle.manifest.cell.state_size // 2, streams=min(settings.streams, len(split.train))
        ),
        initial_weights=shipped.get_weights(),
        on_epoch=on_epoch,
    )
    known_before = {data.name for data in bundle.manifest.data} & {s.recording.source for s in split.scored}
    outcome = _outcome(split, shipped, fitted.cell, sorted(known_before))
    return Personal(fitted.cell, split, left_out, outcome)


def _outcome(split: Split, shipped: keras.Model, tuned: keras.Model, known_before: Sequence[str]) -> Outcome:
    judge = Judge(split.scored)
    forecasts = {
        PERSISTENCE: [Persistence().predict(s) for s in split.scored],
        SHIPPED: _medians(judge.predict(shipped)),
        TUNED: _medians(judge.predict(tuned)),
    }
    better = [
        _relative(session, forecasts[TUNED][i], forecasts[SHIPPED][i]) < 1 for i, session in enumerate(split.scored)
    ]
    return Outcome(
        trained=len(split.train),
        validated=len(split.validation),
        scored=len(split.scored),
        better=sum(better),
        origins=origins(split.scored),
        mae_bpm={name: mae_bpm(split.scored, made) for name, made in forecasts.items()},
        known_before=known_before,
    )


def _medians(quantiles: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
    return [q[:, QUANTILES.index(0.5) :: len(QUANTILES)] for q in quantiles]


def _relative(session: Session, tuned: NDArray[np.float32], shipped: NDArray[np.float32]) -> float:
    """One session's error relative to the shipped model's, mean over the horizons that can be scored in it."""
    ours, theirs = np.array(mae_bpm([session], [tuned])), np.array(mae_bpm([session], [shipped]))
    known = theirs > 0  # NaN compares false
    return float((ours[known] / theirs[known]).mean()) if known.any() else 1.0


def write(out: Path, personal: Personal, bundle: Bundle) -> None:
    """Write the cell and its manifest as `edge-train workout` does, for `edge-convert` to pack."""
    out.mkdir(parents=True, exist_ok=True)
    personal.cell.save(out / CELL)
    digest = hashlib.sha256(b"".join(w.tobytes() for w in personal.cell.get_weights())).hexdigest()
    started_from = bundle.manifest
    manifest = TrainingManifest(
        task=started_from.task,
        version=f"{__version__}+{digest[:8]}",
        interface=started_from.interface,
        data=(*started_from.data, *sources(personal.split.train)),
        metrics=tuple(
            metric
            for method, errors in personal.outcome.mae_bpm.items()
            for metric in mae_metrics(personal.split.name, method, HORIZONS_S, errors)
        ),
        limits=_LIMITS,
    )
    write_manifest(out, manifest)
