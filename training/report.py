"""The report of a training run, as text for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from training.alert import WITHIN_S
from training.athletes import LSTM, MIXTURE, AthleteScore
from training.dataset import HISTORY_S, HORIZONS_S
from training.live_tables import alerts_table, athletes_table
from training.scores import PHASES
from training.tables import figure, table
from training.workout.evaluate import OURS, DataSetScore, Drift, Method

# What "never worse than showing the last value" allows: noise of a finite number of seconds.
_NOT_WORSE = 1.01

_REFERENCES = (
    "Least squares (recursive, plain, on features alone or with the LSTM's hidden state, mixed with the last value) is "
    "what one would write in an afternoon, and learns from the same seconds."
)


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
        athletes: everybody that could be left out of a training, played with a cell that was trained on the others.
        disturbed: those with sessions enough, the sessions made strange (`training.disturb`).
        seeds: the runs behind the shipped cell.
        chosen_seed: the one with the lowest validation loss, which is kept.
        drift: of carried state, None when the sessions are too short.
        environment: versions and machine.
        unreadable: files that could not be read, with the reason.
    """

    horizons_s: list[int]
    data_sets: list[DataSetScore]
    athletes: list[AthleteScore]
    disturbed: list[AthleteScore]
    seeds: list[SeedRun]
    chosen_seed: int
    drift: Drift | None
    environment: dict[str, str]
    unreadable: list[str]


def verdict(results: Results) -> str:
    """The first lines: where the model does not beat its strongest baseline, and whether the mixture is ever worse."""
    lost = []
    for score in results.data_sets:
        ours = next(m for m in score.methods if m.name == LSTM).mae_bpm
        for column, horizon_s in enumerate(results.horizons_s):
            best = min((m for m in score.methods if m.name not in OURS), key=lambda m: m.mae_bpm[column])
            if not ours[column] < best.mae_bpm[column]:
                lost.append(
                    f"{score.name} at {horizon_s} s ({ours[column]:.2f} bpm, {best.name} {best.mae_bpm[column]:.2f})"
                )
    lines = [
        f"**The LSTM alone does not beat its best baseline on {'; '.join(lost)}.**"
        if lost
        else "The LSTM beats every baseline on every data set and at every horizon below."
    ]
    if results.athletes:
        lines.append(_never_worse(results))
    return "\n\n".join(lines)


def _never_worse(results: Results) -> str:
    ratios = [
        (ratio, f"{athlete.person} at {horizon_s} s, {skill.inputs} ({ratio:.2f})")
        for athlete in (*results.athletes, *results.disturbed)
        for skill in athlete.skills
        if skill.method == MIXTURE
        for horizon_s, ratio in zip(results.horizons_s, skill.ratios, strict=True)
        if ratio == ratio  # not NaN  # noqa: PLR0124
    ]
    worse = [where for ratio, where in ratios if ratio > _NOT_WORSE]
    if worse:
        return f"**On people it has not seen, the mixture is worse than showing the last value: {'; '.join(worse)}.**"
    return (
        "On people it has not seen, the mixture that a device runs is never worse than showing the last value; "
        f"the least gain, as error over persistence's: {max(ratios)[1]}."
    )


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
            f"{', ± their standard deviation' if seeds > 1 else ''} (without ± they are of one); "
            "the state is carried from each session's first "
            "second to its last. The mixture is what a device shows: the cell of lowest validation loss, converted, "
            "with the experts and the conformal step of an athlete who is unknown at first and whose sessions, all of "
            "them, are played in the order they were made. Errors relative to persistence's carry their 95 % bootstrap "
            "interval over people, or over sessions where there is one person."
        ),
        *(_section(score) for score in results.data_sets),
    ]
    if results.athletes:
        parts += [
            "## Athletes that the cell has not seen",
            _REFERENCES,
            athletes_table(results.athletes),
        ]
    if results.disturbed:
        parts += [
            "## Sessions made strange",
            "The same, of other sessions each, as recorded and spoiled in four ways (`training/disturb.py`).",
            athletes_table(results.disturbed),
        ]
    parts += [
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
    ahead = [f"{h} s" for h in HORIZONS_S]
    persistence = score.methods[0].mae_bpm
    errors = table(
        ["method", *(f"{a} (bpm)" for a in ahead), *(f"{a} / persistence" for a in ahead)],
        [[m.name, *_errors(m), *_ratios(m, persistence)] for m in score.methods],
    )
    by_phase = table(
        ["method", *PHASES],
        [[m.name, *(figure(row[HORIZONS_S.index(WITHIN_S)]) for row in m.phase_mae_bpm)] for m in score.methods],
    )
    live = table(
        ["method", *(f"inside, {a}" for a in ahead), *(f"first minute, {a}" for a in ahead)],
        [
            [c.method, *(f"{share:.0%}" for share in c.inside), *map(figure, c.first_minute_ratio)]
            for c in score.calibrations
        ],
    )
    people = "1 person" if score.people == 1 else f"{score.people} people"
    sessions = "1 session" if score.sessions == 1 else f"{score.sessions} sessions"
    return (
        f"## {score.name[0].upper()}{score.name[1:]}\n\n"
        f"{people}, {sessions}, {score.origins[0]} origins at {ahead[0]}.\n\n{errors}\n\n"
        f"{WITHIN_S} s ahead by phase (bpm); rising and falling are by more than 5 bpm in the last half minute.\n\n"
        f"{by_phase}\n\n"
        "Outcomes inside the 10 % to 90 % interval (nominal 80 %), and error in a session's first minute relative to "
        f"persistence's.\n\n{live}\n\n{alerts_table(score.alerts)}"
    )


def _errors(method: Method) -> list[str]:
    spreads = [f" ± {sd:.2f}" for sd in method.sd_bpm] or [""] * len(HORIZONS_S)
    return [f"{mae:.2f}{spread}" for mae, spread in zip(method.mae_bpm, spreads, strict=True)]


def _ratios(method: Method, persistence: Sequence[float]) -> list[str]:
    if method.mae_bpm == persistence:
        return ["1.00"] * len(HORIZONS_S)
    ends = zip(method.mae_bpm, persistence, method.ratio_low, method.ratio_high, strict=True)
    return [f"{mae / base:.2f} ({low:.2f}-{high:.2f})" for mae, base, low, high in ends]


def _drift(drift: Drift | None) -> str:
    if drift is None:
        return "The sessions are too short to measure drift."
    carried, fresh = ("/".join(f"{mae:.2f}" for mae in maes) for maes in (drift.carried_mae_bpm, drift.fresh_mae_bpm))
    return (
        f"Held-out sessions of one kind were played back to back for {drift.hours:.1f} h without zeroing the state. "
        f"Error in the last half hour: {carried} bpm at 10/30/60 s; on the same seconds with the state zeroed ten "
        f"minutes before them: {fresh} bpm."
    )
