"""A whole training run: split, train over seeds and folds, score, report, and keep the best cell."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import keras
import msgspec
import numpy as np
import tensorflow as tf

from edge_agent import __version__
from edge_agent.inference.bundle import StreamingCell
from edge_agent.inference.forecast import QUANTILES
from edge_agent.signals.features import CONTRACT, FEATURE_NAMES
from training.alert import thresholds_bpm
from training.athletes import (
    WITH_LOAD,
    AthleteScore,
    Played,
    only,
    play_everybody,
    score_athletes,
    score_disturbed,
)
from training.baselines import Baseline, baselines
from training.dataset import HORIZONS_S, PUBLISHED_TEST, Dataset, Session
from training.manifest import CELL, TrainingManifest, mae_metrics, sources, write_manifest
from training.report import Results, SeedRun, markdown
from training.splits import Split, by_person, by_session
from training.workout import plots
from training.workout.checkpoints import FOLDER, Checkpoints
from training.workout.evaluate import DataSetScore, Scoreboard, measure_drift
from training.workout.fit import Epoch, Fitted, Settings, fit
from training.workout.in_memory import in_memory
from training.workout.pretrain import pretrain

RESULTS = "metrics.json"
REPORT = "report.md"

_LIMITS = (
    "No medical device: it must not be used to diagnose, to treat, or to decide whether exercise is safe.",
    "Trained on few people; on others it can be worse than showing the last value.",
    "Made for steady and interval running and cycling; other sports are untested.",
    "Heart rate from a sensor that slips or locks onto cadence gives forecasts of that artefact.",
)


def run(
    dataset: Dataset,
    out: Path,
    *,
    seeds: int,
    settings: Settings,
    unseen_seeds: int | None = None,
    simulated: int = 0,
    on_epoch: Callable[[str, Epoch], None],
) -> Results:
    """Train, score and report.

    Args:
        dataset: sessions to use.
        out: folder to write the cell, its manifest, the report, its pictures and the metrics to; cells that an earlier
            run with the same data and settings left there (`training.workout.checkpoints`) are not trained again.
        seeds: how many times to train, from seeds 0, 1, ...
        settings: how to train.
        unseen_seeds: how many times to train without each group of people that is left out; as `seeds` when None.
        simulated: made-up athletes to train on before the real ones (`pretrain`); none by default.
        on_epoch: called after each epoch with what is being trained.

    Raises:
        TrainingError: there are too few sessions.
    """
    out.mkdir(parents=True, exist_ok=True)
    split = by_session(dataset.sessions)
    starts = [pretrain(simulated, seed=s, settings=settings) if simulated else None for s in range(seeds)]

    checkpoints = Checkpoints(out / FOLDER)

    def train_one(split: Split, seed: int) -> Fitted:
        return checkpoints.kept_or(
            split.train,
            split.validation,
            seed=seed,
            settings=settings,
            initial_weights=starts[seed],
            fit=lambda: fit(
                split.train,
                split.validation,
                seed=seed,
                settings=settings,
                initial_weights=starts[seed],
                on_epoch=lambda epoch: on_epoch(f"{split.name}, seed {seed}", epoch),
            ),
        )

    def train(split: Split, times: int) -> list[Fitted]:
        return [train_one(split, seed) for seed in range(times)]

    fitted = train(split, seeds)
    chosen = _chosen(fitted)
    compared = _fitted_baselines(split)

    everything = dataset.sessions + dataset.published_test
    thresholds = thresholds_bpm(everything)
    played = play_everybody(*in_memory(chosen.cell), everything)

    groups = {PUBLISHED_TEST: dataset.published_test} if dataset.published_test else {}
    for session in split.scored:
        groups.setdefault(f"{session.recording.source}, held-out sessions", []).append(session)
    boards = [Scoreboard(name, thresholds) for name in groups]
    for board in boards:
        board.add(groups[board.name], compared, [f.cell for f in fitted], played)
    unseen, athletes, strange = _unseen_people(
        dataset.sessions, thresholds, lambda split: train(split, unseen_seeds or seeds)
    )
    boards += unseen

    scores = [board.score() for board in boards]
    results = Results(
        horizons_s=list(HORIZONS_S),
        data_sets=scores,
        athletes=athletes,
        disturbed=strange,
        seeds=[SeedRun(f.seed, len(f.history), f.best_epoch + 1, f.validation_loss) for f in fitted],
        chosen_seed=chosen.seed,
        drift=measure_drift(_one_source(split.scored), chosen.cell),
        environment=_environment(split, simulated, unseen_seeds or seeds),
        unreadable=[str(error) for error in dataset.errors],
    )
    shown = boards[0].sessions[len(boards[0].sessions) // 2]
    _write(out, chosen, split, results, only(played, {shown.key})[WITH_LOAD][0])
    return results


def trainings(dataset: Dataset, seeds: int, unseen_seeds: int | None = None) -> int:
    """How many cells `run` trains."""
    return seeds + (unseen_seeds or seeds) * sum(1 for _ in by_person(dataset.sessions))


def _fitted_baselines(split: Split) -> list[Baseline]:
    made = baselines()
    for baseline in made:
        baseline.fit(split.train + split.validation)
    return made


def _chosen(fitted: Sequence[Fitted]) -> Fitted:
    return min(fitted, key=lambda f: f.validation_loss)


def _unseen_people(
    sessions: list[Session], thresholds: Mapping[str, float], train: Callable[[Split], list[Fitted]]
) -> tuple[list[Scoreboard], list[AthleteScore], list[AthleteScore]]:
    boards: dict[str, Scoreboard] = {}
    athletes: list[AthleteScore] = []
    strange: list[AthleteScore] = []
    for split in by_person(sessions):
        board = boards.setdefault(split.name, Scoreboard(split.name, thresholds))
        fitted = train(split)
        converted = in_memory(_chosen(fitted).cell)
        played = play_everybody(*converted, split.scored, references=True)
        board.add(split.scored, _fitted_baselines(split), [f.cell for f in fitted], played)
        athletes += score_athletes(played)
        strange += score_disturbed(*converted, split.scored)
    return list(boards.values()), athletes, strange


def _one_source(sessions: list[Session]) -> list[Session]:
    """The sessions of the source with most seconds: joined, they could be one athlete's."""
    seconds: dict[str, int] = {}
    for session in sessions:
        seconds[session.recording.source] = seconds.get(session.recording.source, 0) + len(session.x)
    largest = max(seconds, key=lambda source: seconds[source])
    return [s for s in sessions if s.recording.source == largest]


def _environment(split: Split, simulated: int, unseen_seeds: int) -> dict[str, str]:
    return {
        "sessions": f"{len(split.train)} to train, {len(split.validation)} to validate, {len(split.scored)} held out",
        "seeds for people left out": str(unseen_seeds),
        "made-up athletes trained on before": str(simulated),
        "Python": platform.python_version(),
        "TensorFlow": tf.__version__,
        "Keras": keras.__version__,
        "NumPy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
    }


def _write(out: Path, chosen: Fitted, split: Split, results: Results, shown: Played) -> None:
    chosen.cell.save(out / CELL)
    write_manifest(out, _manifest(chosen, split, results.data_sets))
    (out / RESULTS).write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    images = plots.draw(results.data_sets, results.athletes, shown, out)
    (out / REPORT).write_text(markdown(results, images), encoding="utf-8")


def _manifest(chosen: Fitted, split: Split, scores: Sequence[DataSetScore]) -> TrainingManifest:
    digest = hashlib.sha256(b"".join(w.tobytes() for w in chosen.cell.get_weights())).hexdigest()
    return TrainingManifest(
        task="workout",
        version=f"{__version__}+{digest[:8]}",
        interface=StreamingCell(
            contract=CONTRACT,
            features=FEATURE_NAMES,
            state_size=2 * chosen.cell.get_layer("lstm").units,
            horizons_s=HORIZONS_S,
            quantiles=QUANTILES,
        ),
        data=sources(split.train),
        metrics=tuple(
            metric
            for score in scores
            for method in score.methods
            for metric in mae_metrics(score.name, method.name, HORIZONS_S, method.mae_bpm)
        ),
        limits=_LIMITS,
    )
