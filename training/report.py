"""The report of a training run, as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from training.dataset import HISTORY_S, HORIZONS_S
from training.tables import table
from training.workout.evaluate import LSTM, DataSetScore, Drift


class SeedRun(msgspec.Struct, frozen=True):
    """One seed's training.

    Attributes:
        seed: it started from.
        epochs: that ran.
        best_epoch: counted from 1, the one whose weights were kept.
        validation_loss: of those weights.
    """

    seed: int
    epochs: int
    best_epoch: int
    validation_loss: float


class Results(msgspec.Struct, frozen=True):
    """All that a training run measured.

    Attributes:
        horizons_s: seconds ahead.
        data_sets: scores by data set.
        seeds: the runs behind the shipped cell.
        chosen_seed: the one with the lowest validation loss, which is kept.
        drift: of carried state, None when the sessions are too short.
        environment: versions and machine.
        unreadable: files that could not be read, with the reason.
    """

    horizons_s: list[int]
    data_sets: list[DataSetScore]
    seeds: list[SeedRun]
    chosen_seed: int
    drift: Drift | None
    environment: dict[str, str]
    unreadable: list[str]


def verdict(results: Results) -> str:
    """The first line: where the model does not beat its strongest baseline, or that it does everywhere."""
    lost = []
    for score in results.data_sets:
        ours = next(m for m in score.methods if m.name == LSTM).mae_bpm
        for column, horizon_s in enumerate(results.horizons_s):
            best = min((m for m in score.methods if not m.name.startswith(LSTM)), key=lambda m: m.mae_bpm[column])
            if not ours[column] < best.mae_bpm[column]:
                lost.append(
                    f"{score.name} at {horizon_s} s ({ours[column]:.2f} bpm, {best.name} {best.mae_bpm[column]:.2f})"
                )
    if lost:
        return f"**The LSTM does not beat its best baseline on {'; '.join(lost)}.**"
    return "The LSTM beats every baseline on every data set and at every horizon below."


def markdown(results: Results, images: Sequence[tuple[str, str]]) -> str:
    """The report.

    Args:
        results: what was measured.
        images: file name and caption of each picture, in order.
    """
    seeds = len(results.seeds)
    parts = [
        "# Workout model: heart rate 10, 30 and 60 s ahead",
        verdict(results),
        (
            "Mean absolute error in bpm of the median forecast, all methods on the same origins: every second with "
            f"{HISTORY_S} s of heart rate behind it and heart rate without a gap up to the horizon. Baselines are "
            "fitted to the sessions that the LSTM is trained and validated on. "
            f"The LSTM's figures are the mean over {seeds} seed{'s' if seeds > 1 else ''}"
            f"{', ± their standard deviation' if seeds > 1 else ''}; the state is carried from each session's first "
            "second to its last."
        ),
        *(_section(score) for score in results.data_sets),
        *(f"![{caption}]({name})\n\n*{caption}*" for name, caption in images),
        "## Carried state",
        _drift(results.drift),
        "## Training",
        table(
            ["seed", "epochs", "best epoch", "validation loss"],
            [[str(r.seed), str(r.epochs), str(r.best_epoch), f"{r.validation_loss:.4f}"] for r in results.seeds],
        ),
        f"Kept: seed {results.chosen_seed}, the lowest validation loss.",
        "\n".join(f"- {name}: {value}" for name, value in results.environment.items()),
    ]
    if results.unreadable:
        parts += ["## Files that could not be read", "\n".join(f"- {reason}" for reason in results.unreadable)]
    return "\n\n".join(parts) + "\n"


def _section(score: DataSetScore) -> str:
    persistence = score.methods[0].mae_bpm
    rows = [
        [
            method.name,
            *(
                f"{mae:.2f}" + (f" ± {method.sd_bpm[i]:.2f}" if method.sd_bpm else "")
                for i, mae in enumerate(method.mae_bpm)
            ),
            *(f"{mae / base:.2f}" for mae, base in zip(method.mae_bpm, persistence, strict=True)),
        ]
        for method in score.methods
    ]
    ahead = [f"{h} s" for h in HORIZONS_S]
    errors = table(["method", *(f"{a} (bpm)" for a in ahead), *(f"{a} / persistence" for a in ahead)], rows)
    inside = ", ".join(f"{share:.0%} at {a}" for share, a in zip(score.share_inside, ahead, strict=True))
    first = ", ".join(f"{ratio:.2f} at {a}" for ratio, a in zip(score.first_minute_ratio, ahead, strict=True))
    people = "1 person" if score.people == 1 else f"{score.people} people"
    return (
        f"## {score.name[0].upper()}{score.name[1:]}\n\n"
        f"{people}, {score.sessions} sessions, {score.origins[0]} origins at {ahead[0]}.\n\n{errors}\n\n"
        f"Inside the 10 % to 90 % interval (nominal 80 %): {inside}. "
        f"Error in a session's first minute relative to persistence: {first}."
    )


def _drift(drift: Drift | None) -> str:
    if drift is None:
        return "The sessions are too short to measure drift."
    carried, fresh = ("/".join(f"{mae:.2f}" for mae in maes) for maes in (drift.carried_mae_bpm, drift.fresh_mae_bpm))
    return (
        f"Held-out sessions of one kind were played back to back for {drift.hours:.1f} h without zeroing the state. "
        f"Error in the last half hour: {carried} bpm at 10/30/60 s; on the same seconds with the state zeroed ten "
        f"minutes before them: {fresh} bpm."
    )
