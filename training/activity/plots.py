"""The pictures of the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from training import style
from training.activity.calibrate import coverage_curve
from training.activity.classes import CLASSES
from training.activity.crossval import parts
from training.activity.disturb import ANGLES_DEG
from training.activity.summary import CNN, FOREST, PartResult, Said

CAPTIONS = (
    ("activity-confusion.png", "What was done (rows) and what was recognised (columns), in % of what was done"),
    ("activity-people.png", "Macro-F1 of each person, who was left out of training"),
    ("activity-rotation.png", "The sensor turned about each of its axes: the CNN does not notice, the forest does"),
    ("activity-coverage.png", "What saying `unknown` more often would gain"),
)

_SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#cfe3ea", style.BAND, "#123f52"])
_FOREST = "#b9c4cd"
_DARK = 55  # % from which on a number stands white on its cell
_SHORT = {"stepper_or_elliptical": "stepper or\nelliptical", "ball_sport": "ball sport"}


def confusions(results: list[PartResult], path: Path) -> None:
    """One matrix per part, in percent of the windows of a class."""
    style.apply()
    figure, axes = plt.subplots(1, len(results), figsize=(5.4 * len(results), 5.2), squeeze=False)
    names = [_SHORT.get(name, name) for name in CLASSES]
    for column, (ax, result) in enumerate(zip(axes[0], results, strict=True)):
        counts = np.array(result.confusion, np.float64)
        done = np.flatnonzero(counts.sum(axis=1))
        share = 100 * counts[done] / counts[done].sum(axis=1, keepdims=True)
        ax.imshow(share, cmap=_SHADES, vmin=0, vmax=100, aspect="auto")
        for (row, other), percent in np.ndenumerate(share):
            if percent >= 0.5:  # noqa: PLR2004 - less is shown as nothing
                colour = "white" if percent > _DARK else style.INK
                ax.text(other, row, f"{percent:.0f}", ha="center", va="center", fontsize=9, color=colour)
        ax.set_xticks(range(len(CLASSES)), names, rotation=55, ha="right", rotation_mode="anchor", fontsize=8.5)
        ax.set_yticks(range(len(done)), [names[i] for i in done], fontsize=8.5)
        ax.grid(visible=False)
        ax.spines[:].set_visible(False)
        ax.tick_params(length=0)
        ax.set_title(result.part, fontsize=10.5)
        if column == 0:
            ax.set_ylabel("done")
        ax.set_xlabel("recognised")
    style.save(figure, path)


def people(results: list[PartResult], path: Path) -> None:
    """Each person's score, the CNN's beside the forest's."""
    style.apply()
    widths = [max(result.people, 5) ** 0.75 for result in results]
    figure, axes = plt.subplots(
        1, len(results), figsize=(13, 3.6), squeeze=False, sharey=True, gridspec_kw={"width_ratios": widths}
    )
    for ax, result in zip(axes[0], results, strict=True):
        by_method = {s.method: s for s in result.scores}
        forest, cnn = by_method[FOREST].by_person, by_method[CNN].by_person
        order = sorted(cnn, key=lambda person: cnn[person])
        at = np.arange(len(order))
        ax.bar(at - 0.2, [forest[p] for p in order], 0.38, color=_FOREST, label=FOREST)
        ax.bar(at + 0.2, [cnn[p] for p in order], 0.38, color=style.BAND, label=CNN)
        ax.axhline(by_method[CNN].mean_person, color=style.HEART, linewidth=1.2, label="mean over people, CNN")
        ax.set_xticks(at, [p.partition("/")[2] for p in order], rotation=90, fontsize=7.5)
        ax.set_title(result.part, fontsize=10.5)
        ax.grid(visible=False, axis="x")
        ax.set_ylim(0.5, 1)
    axes[0, 0].set_ylabel("macro-F1")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    style.save(figure, path)


def rotation(results: list[PartResult], path: Path) -> None:
    """Macro-F1 by angle about each axis of the sensor."""
    style.apply()
    figure, axes = plt.subplots(1, len(results), figsize=(4.3 * len(results), 3.5), squeeze=False, sharey=True)
    for ax, result in zip(axes[0], results, strict=True):
        for values, colour, name in ((result.rotation, style.BAND, CNN), (result.rotation_forest, _FOREST, FOREST)):
            _by_angle(ax, values, colour, name)
        ax.set_title(result.part, fontsize=10.5)
        ax.set_xticks([0, 90, 180, 270, 360])
        ax.set_xlabel("turned by (degrees)")
        ax.set_ylim(0, 1)
    axes[0, 0].set_ylabel("macro-F1")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=9)
    style.save(figure, path)


def _by_angle(ax: Axes, values: dict[str, list[float]], colour: str, name: str) -> None:
    for (axis, by_angle), line in zip(values.items(), ("-", "--", ":"), strict=True):
        angles = [*ANGLES_DEG, 360]
        ax.plot(angles, [*by_angle, by_angle[0]], line, color=colour, linewidth=1.8, label=f"{name}, about {axis}")


def coverage(said: Said, path: Path) -> None:
    """Share of wrong answers by share of windows that are answered, and where the device stands."""
    style.apply()
    figure, ax = plt.subplots(figsize=(7, 3.7))
    colours = (style.BAND, style.HEART, "#e0a458", style.MUTED)
    for part, colour in zip(parts(said.windows), colours * len(said.logits), strict=False):
        mine = part.of(said.windows)
        logits = np.concatenate([answer[mine] for answer in said.logits])
        answered, wrong = coverage_curve(logits, np.tile(said.windows.label[mine], len(said.logits)))
        ax.plot(100 * answered, 100 * wrong, color=colour, linewidth=1.8, label=str(part))
    ax.axvline(95, color=style.MUTED, linestyle="--", linewidth=1)
    ax.annotate(
        "on the device",
        (95, ax.get_ylim()[1]),
        (-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8.5,
    )
    ax.set(xlabel="windows answered (%)", ylabel="wrong among them (%)", xlim=(40, 100))
    ax.set_ylim(bottom=0)
    ax.legend(fontsize=9)
    style.save(figure, path)
