"""What the report of a training run and that of a bundle both show of forecasts that were played as on a device."""

from __future__ import annotations

from collections.abc import Sequence

from training.alert import ALERT_FROM, THRESHOLD, WITHIN_S, Alert
from training.athletes import SETTLED_S, AthleteScore
from training.dataset import HORIZONS_S
from training.tables import figure, percent, table


def alerts_table(scored: Sequence[Alert]) -> str:
    """How well the passing of a threshold is announced."""
    rows = [[a.method, figure(a.recall), figure(a.precision)] for a in scored]
    return (
        f"Alert: heart rate is below {THRESHOLD:.0%} of the highest in the athlete's sessions and will be above it "
        f"within {WITHIN_S} s. It is on while the forecast's quantiles give a chance of at least {ALERT_FROM:.2f} of "
        f"being above it at a horizon.\n\n{table(['alert from', 'recall', 'precision'], rows)}"
    )


def athletes_table(athletes: Sequence[AthleteScore]) -> str:
    """Every athlete's error relative to persistence's, and how often the interval held."""
    rows = [
        [
            f"{athlete.person} ({athlete.sessions})",
            skill.inputs,
            skill.method,
            *(f"{figure(first)} / {figure(second)}" for first, second in zip(*skill.halves, strict=True)),
            *map(percent, skill.inside),
        ]
        for athlete in athletes
        for skill in athlete.skills
    ]
    ahead = [f"{h} s" for h in HORIZONS_S]
    head = ["athlete (sessions)", "inputs", "method", *ahead, *(f"inside, {a}" for a in ahead)]
    return (
        "Error over persistence's in the first and in the second half of an athlete's sessions, from the first second "
        "of each on, and outcomes inside the 80 % interval once "
        f"{SETTLED_S // 60} minutes of the athlete have been played.\n\n{table(head, rows, text_columns=3)}"
    )
