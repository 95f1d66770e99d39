"""The picture of a comparison: what it is worth against what it costs."""

from __future__ import annotations

from pathlib import Path

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from training import style
from training.zoo.results import Comparison, Entry

_BEST = "#e0a458"


def picture_name(task: str) -> str:
    """File name of the picture of a task."""
    return f"zoo-{task}.png"


def picture(comparison: Comparison, folder: Path) -> None:
    """The middle figure of each architecture, with its interval over people, against time, size and MACs."""
    style.apply()
    costs = [
        ("fastest form, one answer (µs)", _fastest_us),
        ("smallest form (kB)", _smallest_kb),
        ("multiply-accumulates", lambda entry: float(entry.macs)),
    ]
    shown = [(label, cost) for label, cost in costs if any(cost(e) for e in comparison.architectures)]
    figure, axes = plt.subplots(1, len(shown), figsize=(4.6 * len(shown), 4.6), sharey=True, squeeze=False)
    column = len(comparison.figures) // 2
    for ax, (label, cost) in zip(axes[0], shown, strict=True):
        _panel(ax, comparison, [(e, c) for e in comparison.architectures if (c := cost(e))], column)
        ax.set_xlabel(label)
    name = comparison.figures[column]
    axes[0, 0].set_ylabel(f"mean absolute error {name} ahead ({comparison.unit})" if comparison.unit else name)
    figure.suptitle(f"{comparison.task}: {comparison.title}", x=0.01, ha="left", fontsize=11, fontweight="bold")
    style.save(figure, folder / picture_name(comparison.task))


def _panel(ax: Axes, comparison: Comparison, entries: list[tuple[Entry, float]], column: int) -> None:
    best = (min if comparison.ascending else max)(comparison.baselines, key=lambda e: e.figures[column])
    ax.axhline(best.figures[column], color=style.MUTED, linestyle="--", linewidth=1.2)
    ax.annotate(
        best.name, (0.99, best.figures[column]), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
        ha="right", fontsize=8, color=style.MUTED,
    )  # fmt: skip
    for entry, cost in entries:
        value, low, high = entry.figures[column], entry.low[column], entry.high[column]
        front = not any(
            other_cost <= cost and other is not entry and _better(comparison, other, entry, column)
            for other, other_cost in entries
        )
        ax.errorbar(
            cost,
            value,
            yerr=[[max(value - low, 0)], [max(high - value, 0)]],
            fmt="o",
            markersize=7,
            color=style.HEART if front else style.BAND,
            ecolor="#cfd8df",
            elinewidth=1.2,
        )
        ax.annotate(entry.name, (cost, value), (6, 5), textcoords="offset points", fontsize=8.5)
    ax.set_xscale("log")
    ax.margins(x=0.18)


def _better(comparison: Comparison, one: Entry, other: Entry, column: int) -> bool:
    return (one.figures[column] < other.figures[column]) == comparison.ascending


def _fastest_us(entry: Entry) -> float:
    return min((timing.us for form in entry.forms for timing in form.took.values()), default=0.0)


def _smallest_kb(entry: Entry) -> float:
    return min((form.model_bytes / 1000 for form in entry.forms if form.model_bytes), default=0.0)
