"""The page that shows all comparisons."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from training.tables import table
from training.zoo.plots import picture_name
from training.zoo.results import Comparison, Entry, Form

PAGE = "zoo.md"

# In the order in which their times stand in a cell.
RUNTIMES = ("ai-edge-litert", "tflite-runtime")

_INTRODUCTION = """\
# The zoo: architectures side by side

Every architecture a reader of the field will ask for, trained under one protocol on the same windows and scored on
people it has not seen. It compares *architectures under an equal small budget*; it is not how the shipped models are
trained: those for heart rate see features of the whole session, carry their state from second to second and learn the
person they serve ([workout](workout.md), [recovery](recovery.md)), and the one for [activity](activity.md) is trained
for longer, on varied windows.

`edge-train compare TASK --data DIR --out DIR` makes the section of a task and its picture, in up to nine minutes of one
x86-64 core. A new architecture is one function and one line of the registry, both in `training/zoo/architectures.py`.

How to read the tables: after each figure, its 95 % bootstrap interval over people. *MACs* are multiply-accumulates of
one answer, counted from the shapes of the layers; an LSTM that carries its state, as the shipped ones do, needs them
once for each second and not once for each second of the window. A recipe's cell holds the size of the TFLite model and
the median time of one answer, batch of one, one thread, tensors in and out included, on ai-edge-litert / on
tflite-runtime 2.14; making the window's form (the spectrogram, say) is not timed. A number in brackets is a refusal,
spelled out below the table.
"""


def page(comparisons: Sequence[Comparison]) -> str:
    """The page, as Markdown."""
    return "\n\n".join([_INTRODUCTION.rstrip(), *map(_section, comparisons)]) + "\n"


def _section(comparison: Comparison) -> str:
    unit = f" ({comparison.unit})" if comparison.unit else ""
    recipes = [form.recipe for form in comparison.architectures[0].forms]
    refusals: list[str] = []
    rows = [[entry.name, *_figures(entry), "", "", "", *("" for _ in recipes)] for entry in comparison.baselines] + [
        [
            entry.name,
            *_figures(entry),
            f"{entry.parameters:,}",
            f"{entry.macs:,}",
            f"{sum(form.model_bytes is not None for form in entry.forms)} of {len(recipes)}",
            *(_form(form, refusals) for form in entry.forms),
        ]
        for entry in comparison.architectures
    ]
    head = ["architecture", *(f"{name}{unit}" for name in comparison.figures), "parameters", "MACs", "converts"]
    figure = comparison.figures[len(comparison.figures) // 2]
    picture = (
        f"{'Error at ' if comparison.ascending else ''}{figure} against cost; red: nothing is both cheaper and better"
    )
    views = {e.view for e in comparison.architectures}
    by_view = [f"{view}: {', '.join(e.name for e in comparison.architectures if e.view == view)}" for view in views]
    return "\n\n".join(
        part
        for part in (
            f"## {comparison.task[0].upper()}{comparison.task[1:]}: {comparison.title}",
            _verdict(comparison),
            table([*head, *recipes], rows),
            "\n".join(f"{i}. {reason}" for i, reason in enumerate(refusals, 1)),
            f"![{picture}]({picture_name(comparison.task)})\n\n*{picture}*",
            "\n".join(f"- **{name}**: {note}" for name, note in comparison.notes.items()),
            f"Fed with {'; '.join(sorted(by_view))}.",
            f"{comparison.windows_scored} windows of {comparison.people} people scored. {_spread(comparison)}"
            + "; ".join(f"{name} {value}" for name, value in comparison.environment.items())
            + ".",
        )
        if part
    )


def _verdict(comparison: Comparison) -> str:
    """The first lines: where no architecture beats the best baseline, and which of them is best."""
    lost: list[str] = []
    won: list[str] = []
    for i, name in enumerate(comparison.figures):
        best, base = (
            (min if comparison.ascending else max)(entries, key=lambda e, i=i: e.figures[i])  # type: ignore[misc]
            for entries in (comparison.architectures, comparison.baselines)
        )
        wins = (best.figures[i] < base.figures[i]) == comparison.ascending
        (won if wins else lost).append(
            f"{name} ({best.name} {best.figures[i]:#.3g}, {base.name} {base.figures[i]:#.3g})"
        )
    lines = [f"**At this budget, no architecture beats the best baseline at {', '.join(lost)}.**"] if lost else []
    if won:
        lines.append(f"Best, beside the best baseline: {', '.join(won)}.")
    return "\n\n".join(lines)


def _spread(comparison: Comparison) -> str:
    """How far the rounds of one measurement are apart, which is what two times have to differ by to say anything."""
    timings = [t for entry in comparison.architectures for form in entry.forms for t in form.took.values()]
    if not timings:
        return ""
    ratio = statistics.median(t.us_high / t.us_low for t in timings)
    return f"Of one measurement, the slowest round took {ratio:.2f} times as long as the fastest (median over all). "


def _figures(entry: Entry) -> list[str]:
    spreads = [f" ± {sd:.2g}" for sd in entry.sd] or [""] * len(entry.figures)
    cells = zip(entry.figures, spreads, entry.low, entry.high, strict=True)
    return [f"{value:#.3g}{spread} ({low:#.3g}-{high:#.3g})" for value, spread, low, high in cells]


def _form(form: Form, refusals: list[str]) -> str:
    def number(reason: str) -> str:
        if reason not in refusals:
            refusals.append(reason)
        return f"[{refusals.index(reason) + 1}]"

    if form.model_bytes is None:
        return number(next(iter(form.refused.values())))
    times = [
        _rounded(form.took[runtime].us) if runtime in form.took else number(form.refused[runtime])
        for runtime in RUNTIMES
        if runtime in form.took or runtime in form.refused
    ]
    return f"{form.model_bytes / 1000:.3g} kB, {' / '.join(times)} µs"


def _rounded(us: float) -> str:
    """Three digits, and never in powers of ten."""
    return f"{us:,.0f}" if us >= 100 else f"{us:.3g}"  # noqa: PLR2004 - from there on, whole numbers have three
