"""From forecasts to the figures of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.inference.recovery import LONGEST_S, seconds_to_target
from edge_agent.recordings.recording import Recording
from edge_agent.signals.recovery import HORIZONS_S
from training.recovery.baselines import Changes, FallRidge, SharedTau, baselines_left_out, fitted, origin_bpm
from training.recovery.dataset import ORIGIN_S, Recovered, measured_bpm
from training.recovery.detection import Alarms, Found
from training.recovery.evaluate import MethodScore, people, ratio_interval, score, share_inside

LSTM = "LSTM"
ONE_SEED = "LSTM, one seed"


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a run works on."""

    recordings: list[Recording]
    trained: list[Recovered]
    scored: list[Recovered]
    simulated: list[Recovered]
    held_out: list[Recovered]
    remarks: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What one seed came to.

    Forecasts are quantiles of the change at every second, float32 (recoveries, seconds, horizons, quantiles).

    Attributes:
        cell: trained on simulated people alone.
        scored: its forecasts for the scored recoveries.
        held_out: its forecasts for the simulated recoveries that were held out.
        then_recorded: forecasts for the scored recoveries after training on the recorded ones of other people too.
        recorded_only: the same without any simulated ones.
    """

    cell: keras.Model
    scored: NDArray[np.float32]
    held_out: NDArray[np.float32]
    then_recorded: NDArray[np.float32]
    recorded_only: NDArray[np.float32]


class Target(msgspec.Struct, frozen=True):
    """How well one method tells, at the origin, when half of the rise will be gone.

    Attributes:
        name: of the method.
        mae_s: mean absolute error of the seconds, where it was reached and forecast to be.
        reached: recoveries in which it was reached before the recording ended.
        said_reached: of those, forecast to be reached.
        wrongly_reached: not reached within the recording, but forecast to be.
        not_reached: recoveries in which it was not.
    """

    name: str
    mae_s: float
    reached: int
    said_reached: int
    wrongly_reached: int
    not_reached: int


class Results(msgspec.Struct, frozen=True):
    """All that a training run measured.

    Attributes:
        people: who is scored, each one left out of all that is fitted.
        recoveries: of them.
        methods: the baselines, the LSTM of one seed, and the one that ships, which joins the seeds.
        best: the best baseline at each horizon.
        interval_people: 95 % interval by horizon of the LSTM's error relative to that baseline's, people resampled.
        interval_recoveries: the same, recoveries resampled within each person.
        ablation: what the simulator and the recordings contribute.
        share_inside: of the outcomes inside the 10 % to 90 % interval, by horizon.
        simulated: the baselines and the LSTM of one seed on simulated people who were held out.
        simulated_recoveries: how many of them.
        targets: the time until half of the rise is gone.
        detection: of marked stops.
        alarms: in runs without marks.
        remarks: on marks, sensors and files.
        environment: settings, versions and machine.
    """

    people: list[str]
    recoveries: int
    methods: list[MethodScore]
    best: list[str]
    interval_people: list[tuple[float, float]]
    interval_recoveries: list[tuple[float, float]]
    ablation: list[MethodScore]
    share_inside: list[float]
    simulated: list[MethodScore]
    simulated_recoveries: int
    targets: list[Target]
    detection: list[Found]
    alarms: list[Alarms]
    remarks: list[str]
    environment: dict[str, str]


def summarise(
    material: Material,
    trained: Sequence[Trained],
    joined: NDArray[np.float32],
    *,
    detection: list[Found],
    alarms: list[Alarms],
    remarks: list[str],
    environment: dict[str, str],
) -> Results:
    """Score the LSTM and the baselines on the same origins.

    Args:
        material: what was worked on.
        trained: each seed.
        joined: forecasts of the seeds joined in one cell, for the scored recoveries.
        detection: of marked stops.
        alarms: in runs without marks.
        remarks: on marks, sensors and files.
        environment: settings, versions and machine.
    """
    scored = material.scored
    compared, tau_s = baselines_left_out(material.trained, scored)
    ours = [medians(joined)]
    methods = [score(name, scored, [forecast]) for name, forecast in compared.items()]
    best = [min(methods, key=lambda m, i=i: m.mae_bpm[i]).name for i in range(len(HORIZONS_S))]  # type: ignore[misc]

    def interval(*, whole_people: bool) -> list[tuple[float, float]]:
        return [
            ratio_interval(scored, ours, [compared[name]], whole_people=whole_people, random=np.random.default_rng(0))[
                i
            ]
            for i, name in enumerate(best)
        ]

    one_seed = score(ONE_SEED, scored, [medians(t.scored) for t in trained])
    return Results(
        people=people(scored),
        recoveries=len(scored),
        methods=[*methods, one_seed, score(LSTM, scored, ours)],
        best=best,
        interval_people=interval(whole_people=True),
        interval_recoveries=interval(whole_people=False),
        ablation=[
            msgspec.structs.replace(one_seed, name="simulator alone"),
            score("simulator, then recordings", scored, [medians(t.then_recorded) for t in trained]),
            score("recordings alone", scored, [medians(t.recorded_only) for t in trained]),
            score("ridge on the simulator alone", scored, [_ridge_on_simulated(material)]),
        ],
        share_inside=share_inside(scored, [joined]),
        simulated=_on_simulated(material, trained),
        simulated_recoveries=len(material.held_out),
        targets=_targets(scored, ours, tau_s),
        detection=detection,
        alarms=alarms,
        remarks=remarks,
        environment=environment,
    )


def medians(quantiles: NDArray[np.float32]) -> Changes:
    """The median change from the origin, (recoveries, horizons)."""
    return quantiles[:, ORIGIN_S - 1, :, 1].astype(np.float64)


def _ridge_on_simulated(material: Material) -> Changes:
    ridge = FallRidge()
    ridge.fit(material.simulated)
    return ridge.predict(material.scored)


def _on_simulated(material: Material, trained: Sequence[Trained]) -> list[MethodScore]:
    held_out = material.held_out
    scores = [score(b.name, held_out, [b.predict(held_out)]) for b in fitted(material.simulated)]
    scores.append(score(ONE_SEED, held_out, [medians(t.held_out) for t in trained]))
    return [msgspec.structs.replace(s, by_person_bpm={}) for s in scores]


def _targets(scored: Sequence[Recovered], ours: Sequence[Changes], tau_s: NDArray[np.float64]) -> list[Target]:
    target_bpm = np.array([r.baseline_bpm + (r.at_stop_bpm - r.baseline_bpm) / 2 for r in scored])
    happened = [_reached_after_s(r, target) for r, target in zip(scored, target_bpm.tolist(), strict=True)]
    now_bpm = origin_bpm(scored)
    lstm = []
    for i, recovered in enumerate(scored):
        ahead = [(h - ORIGIN_S, now_bpm[i] + np.mean([o[i, k] for o in ours])) for k, h in enumerate(HORIZONS_S)]
        lstm.append(seconds_to_target(target_bpm[i], [(0, now_bpm[i]), *ahead], recovered.baseline_bpm))
    baseline_bpm = np.array([r.baseline_bpm for r in scored])
    shared = (tau_s * np.log((now_bpm - baseline_bpm) / (target_bpm - baseline_bpm))).tolist()
    return [
        _target(LSTM, lstm, happened),
        _target(SharedTau.name, [s if s <= LONGEST_S else None for s in shared], happened),
    ]


def _reached_after_s(recovered: Recovered, target_bpm: float) -> float:
    """Seconds from the origin until heart rate is down at the target; NaN where it is not in the recording."""
    origin_s = recovered.stop.stop_t_s + ORIGIN_S
    for t_s in range(origin_s, recovered.recording.duration_s):
        if measured_bpm(recovered.recording, t_s) <= target_bpm:
            return float(t_s - origin_s)
    return math.nan


def _target(name: str, forecast_s: Sequence[float | None], happened_s: Sequence[float]) -> Target:
    pairs = list(zip(forecast_s, happened_s, strict=True))
    errors = [abs(f - h) for f, h in pairs if f is not None and not math.isnan(h)]
    reached = sum(not math.isnan(h) for _, h in pairs)
    return Target(
        name=name,
        mae_s=float(np.mean(errors)) if errors else math.nan,
        reached=reached,
        said_reached=len(errors),
        wrongly_reached=sum(f is not None and math.isnan(h) for f, h in pairs),
        not_reached=len(pairs) - reached,
    )
