"""Scores a recovery bundle, run as a device runs it, on people of other kinds than the few there are recordings of."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.choice import open_cell
from edge_agent.inference.runtime import Cell
from edge_agent.recordings.recording import Recording
from edge_agent.signals.recovery import HORIZONS_S
from training.errors import TrainingError
from training.recovery.baselines import Changes, baselines_left_out
from training.recovery.dataset import ORIGIN_S, Recovered, recoveries
from training.recovery.evaluate import people, score
from training.simulator import Athlete, simulate
from training.tables import table

# Baselines are fitted to all but one of as many people: a study's size.
_STUDY = 20
_STUDIES = 3
_EVERY_S = 10
_LSTM = "LSTM"

Like = Callable[[Athlete, np.random.Generator], Athlete]
Sampled = Callable[[Recording], Recording]


def _with(**ranges: tuple[float, float]) -> Like:
    """People whose traits lie in narrower ranges, the rest of them as in the simulator."""

    def like(athlete: Athlete, random: np.random.Generator) -> Athlete:
        drawn: dict[str, Any] = {name: random.uniform(low, high) for name, (low, high) in ranges.items()}
        return dataclasses.replace(athlete, **drawn)

    return like


_SLOW = _with(fast_off_s=(60, 130), slow_share=(0.02, 0.2))
_MIDDLING = _with(fast_off_s=(40, 110), slow_share=(0.02, 0.4))
_KINDS: dict[str, Like] = {
    "slow, one phase": _SLOW,
    "slow to middling, one phase": _MIDDLING,
    "much alike": _with(fast_off_s=(35, 55), slow_share=(0.25, 0.4), rest_bpm=(55, 85)),
    "fast": _with(fast_off_s=(12, 35)),
    "late by 25 s": lambda athlete, _: dataclasses.replace(athlete, off_delay_s=25),
    "two thirds slow part": _with(slow_share=(0.65, 0.65)),
}


def evaluate(bundle_file: Path, recordings: Sequence[Recording]) -> Iterator[str]:
    """Score a recovery bundle, paragraph by paragraph in Markdown.

    Recorded people are scored as recorded, with heart rate alone, and as an export of samples 10 s apart, filled up
    with straight lines; simulated people, in studies of 20, by kinds narrower than what the model was trained on.

    Args:
        bundle_file: to score.
        recordings: of at least two people.

    Raises:
        BundleError: the bundle cannot be used.
        TrainingError: there are too few people.
    """
    bundle = read_bundle(bundle_file)
    if bundle.manifest.task != "recovery":
        msg = f"{bundle_file}: a bundle for {bundle.manifest.task}; name one for recovery"
        raise BundleError(msg)
    cell = open_cell(bundle)
    yield (
        f"{bundle_file.name} {bundle.manifest.version}, {cell.recipe} on {cell.runtime}. Error in bpm of the forecast "
        f"made {ORIGIN_S} s after the stop, beside the best baseline, fitted to the other people of the same study."
    )
    rows = []
    for name, studies in _populations(recordings):
        scored = [r for study in studies for r in study]
        theirs: dict[str, list[Changes]] = {}
        for study in studies:
            for method, forecast in baselines_left_out(study, study)[0].items():
                theirs.setdefault(method, []).append(forecast)
        baselines = [score(method, scored, [np.concatenate(made)]) for method, made in theirs.items()]
        ours = score(_LSTM, scored, [_forecast(cell, scored)])
        best = [min(baselines, key=lambda b, i=i: b.mae_bpm[i]) for i in range(len(HORIZONS_S))]  # type: ignore[misc]
        rows.append(
            [
                name,
                str(len(scored)),
                *(f"{mae:.2f}" for mae in ours.mae_bpm),
                *(f"{b.mae_bpm[i]:.2f} ({b.name})" for i, b in enumerate(best)),
                *(f"{ours.mae_bpm[i] / b.mae_bpm[i]:.2f}" for i, b in enumerate(best)),
            ]
        )
    head = [f"{what} +{h} s" for what in (_LSTM, "best baseline", "ratio") for h in HORIZONS_S]
    yield table(["population", "recoveries", *head], rows)


def _populations(recordings: Sequence[Recording]) -> Iterator[tuple[str, list[list[Recovered]]]]:
    recorded: dict[str, Sampled] = {
        "as recorded": lambda r: r,
        "heart rate alone": _heart_rate_alone,
        f"each {_EVERY_S} s, lines between": _on_lines,
    }
    for name, sampled in recorded.items():
        by_source: dict[str, list[Recovered]] = {}
        for recovered in _whole(map(sampled, recordings)):
            by_source.setdefault(recovered.recording.source, []).append(recovered)
        studies = [study for study in by_source.values() if len(people(study)) > 1]
        if not studies:
            msg = "no two people of one source with an effort and two minutes after it; give recordings of several"
            raise TrainingError(msg)
        yield f"{', '.join(s[0].recording.source for s in studies)}, {name}", studies
    for name, like in _KINDS.items():
        yield f"simulated: {name}", _studies(like, lambda r: r)
    for name in ("slow, one phase", "slow to middling, one phase"):
        yield f"simulated: {name}, each {_EVERY_S} s", _studies(_KINDS[name], _on_lines)


def _studies(like: Like, sampled: Sampled) -> list[list[Recovered]]:
    """Some studies of people of a kind, the same ones however they are sampled."""
    random = np.random.default_rng(777)
    made = simulate(random, athletes=2 * _STUDY * _STUDIES, like=lambda athlete: like(athlete, random))
    found = _whole(map(sampled, made))
    return [found[i * _STUDY : (i + 1) * _STUDY] for i in range(_STUDIES)]


def _whole(recordings: Iterator[Recording]) -> list[Recovered]:
    """The recoveries that can be scored at every horizon, of simulated people the first one."""
    found = []
    for recording in recordings:
        whole = [r for r in recoveries(recording) if r.known[ORIGIN_S - 1] and not np.isnan(r.outcome_bpm).any()]
        found += whole[:1] if recording.source == "simulated" else whole
    return found


def _forecast(cell: Cell, recovered: Sequence[Recovered]) -> Changes:
    """Median change from the origin, (recoveries, horizons)."""
    made = [cell.play(r.x[:ORIGIN_S][r.known[:ORIGIN_S]])[-1] for r in recovered]
    return np.array(made, np.float64).reshape(len(recovered), len(HORIZONS_S), -1)[:, :, 1]


def _heart_rate_alone(recording: Recording) -> Recording:
    return dataclasses.replace(recording, channels={"heart_rate_bpm": recording.channels["heart_rate_bpm"]})


def _on_lines(recording: Recording) -> Recording:
    """Samples some seconds apart with straight lines between, as exports are filled up."""
    second = np.arange(recording.duration_s)
    channels = {}
    for name, values in recording.channels.items():
        known = np.flatnonzero(~np.isnan(values))
        filled = np.interp(second, known, values[known])
        channels[name] = np.interp(second, second[::_EVERY_S], filled[::_EVERY_S]).astype(np.float32)
    return dataclasses.replace(recording, channels=channels)
