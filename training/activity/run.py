"""A whole training run: leave people out over seeds, score, report, and train what ships on everybody."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from pathlib import Path

import keras
import msgspec
import numpy as np
import sklearn
import tensorflow as tf

from edge_agent import __version__
from edge_agent.inference.bundle import DataSource, Metric, WindowClassifier
from edge_agent.recordings import dsads, wisdm
from edge_agent.signals.acceleration import CHANNELS, CONTRACT, RATE_HZ, WINDOW_SAMPLES
from training.activity import plots
from training.activity.cadence import cadence_errors
from training.activity.classes import CLASSES
from training.activity.crossval import kept, train_folds
from training.activity.dataset import Dataset, hours
from training.activity.fit import Settings, Trainer
from training.activity.folds import folds
from training.activity.model import build, macs
from training.activity.report import markdown, score
from training.activity.summary import CNN, FOREST, Results, said_by, score_parts
from training.manifest import CELL, TrainingManifest, write_manifest

RESULTS = "metrics.json"
REPORT = "report.md"
NETWORKS = "networks"

_LIMITS = (
    "No medical device, and no judge of exercise: it names one of nine activities, or says that it does not know.",
    "Trained on 6 people at the chest and 43 at the wrist, most of them young; what others do may look otherwise.",
    "Walking with the hands on a rail is often taken for a stepper, and slow walking for stairs.",
    "An arm that holds still says little: cycling and rest differ least at the wrist.",
    "For a sensor that is fixed to chest or wrist; one that slides or is worn elsewhere was not measured.",
)
_LICENCES = {
    dsads.SOURCE: (dsads.LICENCE, "https://doi.org/10.24432/C5C59F"),
    wisdm.SOURCE: (wisdm.LICENCE, "https://doi.org/10.24432/C5HK59"),
}


def trainings(dataset: Dataset, seeds: int) -> int:
    """How many networks `run` trains, for a progress bar."""
    return len(folds(dataset.sessions)) * seeds + 1


def run(
    dataset: Dataset,
    out: Path,
    *,
    seeds: int,
    settings: Settings,
    on_step: Callable[[str], None] = lambda _: None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Results:
    """Train, score and report.

    Args:
        dataset: to train on and to score on, by person.
        out: folder to write the network, its manifest, the report, its pictures and the metrics to; and the networks
            of the people left out, from which a run that was cut off goes on.
        seeds: how many times to train for each person left out, from seeds 0, 1, ...
        settings: how to train.
        on_step: called after each step of training with what is being trained.
        on_stage: called with what is done after the training.

    Raises:
        TrainingError: there are too few people.
    """
    people = folds(dataset.sessions)
    out.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(settings)
    keep = out / NETWORKS
    trained = train_folds(dataset, people, trainer, seeds=seeds, keep=keep, on_step=on_step)
    network = kept(keep, trainer, dataset.sessions, 0, lambda: on_step("what ships, on everybody"))
    on_stage("scoring people who were left out")
    said = said_by(trained, dataset.windows, seeds)
    results = Results(
        parts=score_parts(trained, said),
        calibration=dict(said.calibration),
        cadence=cadence_errors(dataset.sessions),
        parameters=network.count_params(),
        macs=macs(network),
        sources=sorted({s.source for s in dataset.sessions}),
        left_out=dataset.left_out,
        environment={
            "training": str(settings),
            "networks": f"{seeds} for each of {len(people)} groups of people left out; what ships is one more",
            "Python": platform.python_version(),
            "TensorFlow": tf.__version__,
            "scikit-learn": sklearn.__version__,
            "NumPy": np.__version__,
            "machine": f"{platform.system()} {platform.machine()}",
        },
    )
    on_stage("drawing and writing")
    plots.confusions(results.parts, out / plots.CAPTIONS[0][0])
    plots.people(results.parts, out / plots.CAPTIONS[1][0])
    plots.rotation(results.parts, out / plots.CAPTIONS[2][0])
    plots.coverage(said, out / plots.CAPTIONS[3][0])
    (out / REPORT).write_text(markdown(results, plots.CAPTIONS), encoding="utf-8")
    (out / RESULTS).write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    one_at_a_time = build(batch=1)
    one_at_a_time.set_weights(network.get_weights())
    one_at_a_time.save(out / CELL)
    write_manifest(out, _manifest(dataset, network, results))
    return results


def _manifest(dataset: Dataset, network: keras.Model, results: Results) -> TrainingManifest:
    weights = hashlib.sha256(b"".join(np.asarray(w).tobytes() for w in network.get_weights())).hexdigest()
    return TrainingManifest(
        task="activity",
        version=f"{__version__}+{weights[:8]}",
        interface=WindowClassifier(
            contract=CONTRACT,
            channels=CHANNELS,
            samples=WINDOW_SAMPLES,
            sample_rate_hz=float(RATE_HZ),
            labels=CLASSES,
            calibration=results.calibration,
        ),
        data=tuple(_source(dataset, name) for name in sorted({s.source for s in dataset.sessions})),
        metrics=tuple(
            Metric(
                f"{part.part}, people left out",
                s.method,
                "macro_f1",
                round(s.macro_f1, 4),
            )
            for part in results.parts
            for s in part.scores
        )
        + tuple(
            Metric(
                f"{part.part}, people left out",
                f"{CNN}, above the forest",
                "macro_f1",
                round(score(part, CNN).macro_f1 - score(part, FOREST).macro_f1, 4),
                interval=(round(part.gain_interval[0], 4), round(part.gain_interval[1], 4)),
            )
            for part in results.parts
        ),
        limits=_LIMITS,
    )


def _source(dataset: Dataset, name: str) -> DataSource:
    mine = [s for s in dataset.sessions if s.source == name]
    licence, url = _LICENCES.get(name, ("own", "own recordings"))
    return DataSource(
        name=name, licence=licence, url=url, people=len({s.person for s in mine}), hours=round(hours(mine), 1)
    )
