"""A whole training run: simulate, train over seeds, score on recorded people, report, and join the seeds."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import msgspec
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from edge_agent import __version__
from edge_agent.inference.bundle import DataSource, StreamingCell
from edge_agent.inference.forecast import QUANTILES
from edge_agent.recordings.read import read_recordings
from edge_agent.recordings.recording import Recording
from edge_agent.signals.recovery import CONTRACT, FEATURE_NAMES, HORIZONS_S
from training import simulator
from training.dataset import PUBLISHED_TEST
from training.errors import TrainingError
from training.manifest import CELL, TrainingManifest, mae_metrics, write_manifest
from training.recovery import plots
from training.recovery.dataset import ORIGIN_S, Recovered, all_recoveries
from training.recovery.detection import count_alarms, find_marked, marked_stops
from training.recovery.evaluate import error_by_second, people
from training.recovery.fit import Batch, Settings, Trainer, predict
from training.recovery.model import join
from training.recovery.report import markdown
from training.recovery.summary import Material, Results, Trained, summarise

RESULTS = "metrics.json"
REPORT = "report.md"

_SIMULATION_SEED = 0
_MISSING_S = 3  # shorter holes are a breath or a sensor's first second
_HELD_OUT = 6  # one simulated recovery in six is kept to look at

_LIMITS = (
    "No medical device: a slow recovery is no diagnosis, and a fast one no clearance.",
    "Trained on simulated people alone; scored on few recorded ones, who also served to choose among variants of it.",
    "The baseline is the lowest heart rate of the session: a session that starts in the middle of work has none.",
    "Made for light pedalling, walking or rest after the stop; a new effort ends the forecast.",
)


def steps(folder_people: int, seeds: int, settings: Settings) -> int:
    """How many steps `run` trains for, for a progress bar."""
    return seeds * (settings.simulated_steps + folder_people * (settings.real_steps + settings.alone_steps))


def run(
    folder: Path, out: Path, *, seeds: int, settings: Settings, on_step: Callable[[str, int], None] = lambda *_: None
) -> Results:
    """Train, score and report.

    Args:
        folder: with recordings of at least two people of one source, each with a recovery of two minutes.
        out: folder to write the cell, its manifest, the report, its pictures and the metrics to.
        seeds: how many times to train, from seeds 0, 1, ...
        settings: how to train.
        on_step: called after each step with what is being trained and the number of steps in all.

    Raises:
        TrainingError: there are too few people, or the joined cell would be of a size that no bundle takes.
    """
    if 2 * settings.hidden * seeds in (len(FEATURE_NAMES), len(HORIZONS_S) * len(QUANTILES)):
        msg = (
            f"{seeds} x {settings.hidden} units make a state as long as the input or the output, and a device could "
            "not tell them apart; train with another number of seeds (3 by default)"
        )
        raise TrainingError(msg)
    material = gather(folder, settings)
    out.mkdir(parents=True, exist_ok=True)
    total = steps(len(people(material.scored)), seeds, settings)
    trained = [
        _train(material, seed, settings, lambda what, seed=seed: on_step(f"seed {seed}, {what}", total))  # type: ignore[misc]
        for seed in range(seeds)
    ]
    cell = join([t.cell for t in trained])
    joined = predict(cell, material.scored)
    marked, doubtful = marked_stops(folder)
    runs = [r for r in material.recordings if r.sport == "running" and "speed_mps" in r.channels]
    results = summarise(
        material,
        trained,
        joined,
        detection=[find_marked(marked, load=load, every_s=s) for load in (True, False) for s in (1, 10) if marked],
        alarms=[count_alarms(runs, load=load) for load in (True, False) if runs],
        remarks=[*doubtful, *material.remarks],
        environment={
            "training": str(settings),
            "recoveries": f"{len(material.simulated)} simulated and {len(material.trained)} recorded to train on",
            "Python": platform.python_version(),
            "TensorFlow": tf.__version__,
            "NumPy": np.__version__,
            "machine": f"{platform.system()} {platform.machine()}",
        },
    )
    _write(out, material, cell, joined, results)
    return results


def gather(folder: Path, settings: Settings) -> Material:
    """Simulate recoveries, and find those in the recordings of a folder.

    Raises:
        TrainingError: there are too few people.
    """
    recordings, errors = read_recordings(folder)
    kept_back = {
        (r.person, r.session)
        for path in folder.rglob(PUBLISHED_TEST)
        if path.is_dir()
        for r in read_recordings(path)[0]
    }
    found = all_recoveries(r for r in recordings if (r.person, r.session) not in kept_back)
    whole = [r for r in found if r.known[ORIGIN_S - 1] and not np.isnan(r.outcome_bpm).any()]
    by_source: dict[str, set[str]] = {}
    for recovered in whole:
        by_source.setdefault(recovered.recording.source, set()).add(recovered.recording.person)
    scored = [r for r in whole if len(by_source[r.recording.source]) > 1]
    if not scored:
        msg = (
            f"{folder}: no two people of one source with an effort and two minutes after it; "
            "give recordings of several people, e.g. the pypermod data set"
        )
        raise TrainingError(msg)
    simulated = [
        r
        for r in all_recoveries(simulator.simulate(np.random.default_rng(_SIMULATION_SEED), athletes=settings.athletes))
        if r.known[ORIGIN_S - 1] and not np.isnan(r.outcome_bpm).any()
    ]
    sources = {r.recording.source for r in scored}
    remarks = [str(error) for error in errors] + _remarks([r for r in recordings if r.source in sources], whole)
    held_out = simulated[::_HELD_OUT]
    rest = [r for i, r in enumerate(simulated) if i % _HELD_OUT]
    return Material(recordings, whole, scored, rest, held_out, remarks)


def _remarks(recordings: Sequence[Recording], whole: Sequence[Recovered]) -> list[str]:
    """Sessions of the scored sources that give no recovery, and those whose heart rate is not whole."""
    with_recovery = {(r.recording.person, r.recording.session) for r in whole}
    remarks = []
    for recording in recordings:
        missing = np.flatnonzero(np.isnan(recording.channels["heart_rate_bpm"]))
        name = f"{recording.person} {recording.session}"
        if (recording.person, recording.session) not in with_recovery:
            remarks.append(f"{name}: no effort with two minutes after it was found; not scored")
        elif missing.size >= _MISSING_S:
            remarks.append(
                f"{name}: heart rate missing for {missing.size} s (from second {missing[0]} to {missing[-1]}); scored"
            )
    return remarks


def _train(material: Material, seed: int, settings: Settings, on_step: Callable[[str], None]) -> Trained:
    trainer = Trainer(settings, seed)
    fresh = trainer.cell.get_weights()
    simulated, recorded = Batch.of(material.simulated), Batch.of(material.trained)
    trainer.train(
        [(simulated, 1.0)],
        steps=settings.simulated_steps,
        learning_rate=settings.learning_rate,
        on_step=lambda: on_step("simulated people"),
    )
    pretrained = trainer.cell.get_weights()
    made = keras.models.clone_model(trainer.cell)
    made.set_weights(pretrained)
    on_scored, on_held_out = predict(made, material.scored), predict(made, material.held_out)
    then_recorded, recorded_only = np.empty_like(on_scored), np.empty_like(on_scored)
    person_of_trained = np.array([r.recording.person for r in material.trained])
    person_of_scored = np.array([r.recording.person for r in material.scored])
    for person in people(material.scored):
        mine = person_of_scored == person
        scored = [r for r, is_mine in zip(material.scored, mine, strict=True) if is_mine]
        others = recorded.pick(np.flatnonzero(person_of_trained != person))
        trainer.start_from(pretrained)
        trainer.train(
            [(simulated, 1.0 - settings.real_share), (others, settings.real_share)],
            steps=settings.real_steps,
            learning_rate=settings.learning_rate * settings.real_rate,
            on_step=lambda: on_step("recordings too"),
        )
        then_recorded[mine] = predict(trainer.cell, scored)
        trainer.start_from(fresh)
        trainer.train(
            [(others, 1.0)],
            steps=settings.alone_steps,
            learning_rate=settings.learning_rate,
            on_step=lambda: on_step("recordings alone"),
        )
        recorded_only[mine] = predict(trainer.cell, scored)
    return Trained(made, on_scored, on_held_out, then_recorded, recorded_only)


def _write(out: Path, material: Material, cell: keras.Model, joined: NDArray[np.float32], results: Results) -> None:
    cell.save(out / CELL)
    manifest = _manifest(cell, material, results)
    write_manifest(out, manifest)
    (out / RESULTS).write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    plots.curves(material.scored, joined, out / "recovery-curves.png")
    plots.person_bars(results.methods, out / "recovery-people.png")
    plots.error_by_second(error_by_second(material.scored, [joined]), results.methods, out / "recovery-seconds.png")
    plots.population(material.simulated, material.scored, out / "recovery-population.png")
    (out / REPORT).write_text(markdown(results, plots.CAPTIONS), encoding="utf-8")


def _manifest(cell: keras.Model, material: Material, results: Results) -> TrainingManifest:
    digest = hashlib.sha256(b"".join(w.tobytes() for w in cell.get_weights())).hexdigest()
    hours = round(sum(r.recording.duration_s for r in material.simulated) / 3600, 1)
    simulated = DataSource(
        name=simulator.SOURCE, licence="MIT", url="training/simulator.py", people=len(material.simulated), hours=hours
    )
    return TrainingManifest(
        task="recovery",
        version=f"{__version__}+{digest[:8]}",
        interface=StreamingCell(
            contract=CONTRACT,
            features=FEATURE_NAMES,
            state_size=2 * cell.get_layer("lstm").units,
            horizons_s=HORIZONS_S,
            quantiles=QUANTILES,
        ),
        data=(simulated,),
        metrics=tuple(
            metric
            for method in results.methods
            for metric in mae_metrics(
                "unseen people, forecast 30 s after the stop", method.name, HORIZONS_S, method.mae_bpm
            )
        ),
        limits=_LIMITS,
    )
