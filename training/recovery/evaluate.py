"""Errors of the forecasts from second `ORIGIN_S` after the stop, the same for every method."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from training.recovery.baselines import Changes, changes_bpm
from training.recovery.dataset import ORIGIN_S, Recovered

_RESAMPLES = 2000


class MethodScore(msgspec.Struct, frozen=True):
    """Errors of one method on people it was not fitted to.

    Attributes:
        name: of the method.
        mae_bpm: mean absolute error by horizon, the mean over seeds where there are several.
        sd_bpm: its standard deviation over seeds; empty for a method without seeds.
        by_person_bpm: the same as `mae_bpm` for each person.
    """

    name: str
    mae_bpm: list[float]
    sd_bpm: list[float]
    by_person_bpm: dict[str, list[float]]


def people(recovered: Sequence[Recovered]) -> list[str]:
    """Who they are of, in order."""
    return sorted({r.recording.person for r in recovered})


def score(name: str, recovered: Sequence[Recovered], forecasts: Sequence[Changes]) -> MethodScore:
    """Score one forecast per seed, or a single one.

    Args:
        name: of the method.
        recovered: what happened.
        forecasts: change from the origin to each horizon in bpm, (recoveries, horizons) for each seed.
    """
    errors = absolute_errors(recovered, forecasts)
    by_seed = errors.mean(axis=1)
    person = np.array([r.recording.person for r in recovered])
    return MethodScore(
        name=name,
        mae_bpm=by_seed.mean(axis=0).tolist(),
        sd_bpm=by_seed.std(axis=0, ddof=1).tolist() if len(forecasts) > 1 else [],
        by_person_bpm={p: errors[:, person == p].mean(axis=(0, 1)).tolist() for p in people(recovered)},
    )


def absolute_errors(recovered: Sequence[Recovered], forecasts: Sequence[Changes]) -> NDArray[np.float64]:
    """Absolute errors in bpm, (seeds, recoveries, horizons)."""
    return np.asarray(np.abs(np.stack(forecasts) - changes_bpm(recovered)), np.float64)


def ratio_interval(
    recovered: Sequence[Recovered],
    ours: Sequence[Changes],
    theirs: Sequence[Changes],
    *,
    whole_people: bool,
    random: np.random.Generator,
) -> list[tuple[float, float]]:
    """Bootstrap interval (95 %) of the ratio of two mean absolute errors, by horizon.

    Args:
        recovered: what happened.
        ours: forecasts of the numerator, one per seed.
        theirs: forecasts of the denominator.
        whole_people: draw people; else draw recoveries within each person, which says nothing about other people.
        random: source of the resampling.
    """
    numerator, denominator = (absolute_errors(recovered, f).mean(axis=0) for f in (ours, theirs))
    person = np.array([r.recording.person for r in recovered])
    groups = [np.flatnonzero(person == p) for p in people(recovered)]
    ratios = []
    for _ in range(_RESAMPLES):
        if whole_people:
            drawn = np.concatenate([groups[i] for i in random.integers(len(groups), size=len(groups))])
        else:
            drawn = np.concatenate([random.choice(g, size=len(g)) for g in groups])
        ratios.append(numerator[drawn].mean(axis=0) / denominator[drawn].mean(axis=0))
    low, high = np.percentile(ratios, [2.5, 97.5], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def share_inside(recovered: Sequence[Recovered], quantiles: Sequence[NDArray[np.float32]]) -> list[float]:
    """How often heart rate came out between the outer quantiles, by horizon.

    Args:
        recovered: what happened.
        quantiles: of the change at every second, (recoveries, seconds, horizons, quantiles) for each seed.
    """
    happened = changes_bpm(recovered)
    at_origin = [q[:, ORIGIN_S - 1] for q in quantiles]
    inside = [(q[..., 0] <= happened) & (happened <= q[..., -1]) for q in at_origin]
    return [float(share) for share in np.mean(inside, axis=(0, 1))]


def error_by_second(recovered: Sequence[Recovered], quantiles: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Error of the median by second after the stop, (seconds, horizons); NaN where nothing is forecast."""
    change_bpm = np.stack([r.change_bpm for r in recovered])
    errors = np.mean([np.abs(q[..., 1] - change_bpm) for q in quantiles], axis=0)
    counted = (~np.isnan(errors)).sum(axis=0)
    # Only seconds that (nearly) every recovery has: else the mean changes because its members do.
    enough = counted >= 0.9 * np.maximum(counted.max(axis=0), 1)
    return np.where(enough, np.nansum(errors, axis=0) / np.maximum(counted, 1), np.nan)
