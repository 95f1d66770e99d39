"""The picture of a comparison: what it is worth against what it costs."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from training import style
from training.zoo.results import Comparison, Entry


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
    axes[0, 0].set_ylabel(f"mean absolute error at {name} ({comparison.unit})" if comparison.unit else name)
    figure.draw_without_rendering()  # now it is known where points are on paper
    for ax, (_, cost) in zip(axes[0], shown, strict=True):
        _names(ax, [(e.name, c, e.figures[column]) for e in comparison.architectures if (c := cost(e))])
    figure.suptitle(f"{comparison.task}: {comparison.title}", x=0.01, ha="left", fontsize=11, fontweight="bold")
    style.save(figure, folder / picture_name(comparison.task))


def _panel(ax: Axes, comparison: Comparison, entries: list[tuple[Entry, float]], column: int) -> None:
    best = (min if comparison.ascending else max)(comparison.baselines, key=lambda e: e.figures[column])
    ax.axhline(best.figures[column], color=style.MUTED, linestyle="--", linewidth=1.2)
    ax.annotate(
        best.name, (0.01, best.figures[column]), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points",
        fontsize=8, color=style.MUTED,
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
    ax.set_xscale("log")
    ax.margins(x=0.2)


def _names(ax: Axes, points: list[tuple[str, float, float]]) -> None:
    """Write each name to that side of its point where it covers least of the names and points before it."""
    places = [ax.transData.transform((x, y)).tolist() for _, x, y in points]
    taken = [_Box(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    for (name, *point), (x, y) in zip(points, places, strict=True):
        width, height = 6.0 * len(name), 12.0
        sides = {
            (dx, dy): _Box(
                x + dx - (width if dx < 0 else 0), y + dy, x + dx + (0 if dx < 0 else width), y + dy + height
            )
            for dx in (8, -8)
            for dy in (4, -6, -16)
        }
        dx, dy = min(sides, key=lambda side: sum(sides[side].shared(other) for other in taken))
        taken.append(sides[dx, dy])
        ax.annotate(
            name,
            (point[0], point[1]),
            (dx, dy),
            textcoords="offset points",
            fontsize=8.5,
            ha="right" if dx < 0 else "left",
        )


class _Box(NamedTuple):
    """A rectangle on paper, in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def shared(self, other: _Box) -> float:
        """Area that lies in both."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)


def _better(comparison: Comparison, one: Entry, other: Entry, column: int) -> bool:
    return (one.figures[column] < other.figures[column]) == comparison.ascending


def _fastest_us(entry: Entry) -> float:
    return min((timing.us for form in entry.forms for timing in form.took.values()), default=0.0)


def _smallest_kb(entry: Entry) -> float:
    return min((form.model_bytes / 1000 for form in entry.forms if form.model_bytes), default=0.0)
