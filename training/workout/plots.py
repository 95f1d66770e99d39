"""The pictures of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from edge_agent.inference.forecast import QUANTILES
from training import style
from training.athletes import HEART_RATE, LSTM, MIXTURE, WITH_LOAD, AthleteScore, Played
from training.dataset import HORIZONS_S, Session
from training.scores import PHASES
from training.workout.evaluate import LSTM_HEART_RATE, DataSetScore

_LEARNED = "#123f5a"
_BARS = {
    "persistence": "#c9d1d8",
    "first order": "#a9b5c0",
    "trees": "#e0a458",
    LSTM_HEART_RATE: "#9fcbd9",
    LSTM: style.BAND,
    MIXTURE: _LEARNED,
}
_ALERT_S = 30  # the horizon that pictures of one horizon show
_COLUMNS = 3
_TALLEST = 1.7  # times the error of persistence, beyond which a bar would flatten the others
_FAN_S = 600  # ten minutes are as much as one can read


def draw(
    scores: Sequence[DataSetScore], athletes: Sequence[AthleteScore], shown: Played, out: Path
) -> list[tuple[str, str]]:
    """Draw all pictures of a report.

    Args:
        scores: by data set, the one of `shown` first.
        athletes: played by cells that had not been trained on them; none where nobody could be left out.
        shown: session for the forecast fans.
        out: folder to write to.

    Returns:
        File name and caption of each.
    """
    fans(shown.session, shown.mixture, out / "workout-fans.png")
    errors(scores, out / "workout-errors.png")
    phases(scores, out / "workout-phases.png")
    calibration(scores, out / "workout-calibration.png")
    images = [
        ("workout-fans.png", f"Forecast fans of the mixture on a session of {scores[0].name}"),
        ("workout-errors.png", "Error by horizon; whiskers are the standard deviation over seeds"),
        ("workout-phases.png", "Error 30 s ahead by what the session is doing; 1 is as good as showing the last value"),
        ("workout-calibration.png", "Outcomes inside the 80 % interval, before the conformal step and after it"),
    ]
    if athletes:
        people(athletes, out / "workout-people.png")
        images.append(("workout-people.png", "Every athlete, forecast with a cell that was trained on other people"))
    return images


def fans(session: Session, quantiles: NDArray[np.float32], path: Path) -> None:
    """Forecast fans on the ten minutes of a session in which heart rate moves most.

    Args:
        session: scored session.
        quantiles: its forecasts, (seconds, horizons x quantiles).
        path: PNG to write.
    """
    style.apply()
    start = _liveliest(session.anchor_bpm)
    seconds = np.arange(start, min(start + _FAN_S, len(session.anchor_bpm)))
    figure, ax = plt.subplots(figsize=(9, 4.2))
    forecasts = quantiles.reshape(len(quantiles), len(HORIZONS_S), len(QUANTILES))
    reach_min = np.array([0, *HORIZONS_S]) / 60
    for origin in seconds[15 : -max(HORIZONS_S) : 40]:
        now = session.anchor_bpm[origin]
        if np.isnan(now):
            continue
        low, mid, high = (np.concatenate([[now], now + forecasts[origin, :, q]]) for q in range(3))
        at = origin / 60 + reach_min
        ax.fill_between(at, low, high, color=style.BAND, alpha=0.22, linewidth=0)
        ax.plot(at, mid, color=style.BAND, linewidth=1.6)
        ax.plot(at[0], now, "o", color=style.BAND, markersize=4)
    ax.plot(seconds / 60, session.anchor_bpm[seconds], color=style.HEART, linewidth=1.8, zorder=3)
    ax.plot([], [], color=style.HEART, linewidth=1.8, label="measured")
    ax.plot([], [], color=style.BAND, marker="o", markersize=4, label="forecast median, made at the dot")
    ax.fill_between([], [], [], color=style.BAND, alpha=0.22, label="forecast 10 % to 90 %")
    ax.set(xlabel="time in session (min)", ylabel="heart rate (bpm)", title="The next minute, as forecast on the way")
    ax.set_xlim(seconds[0] / 60, seconds[-1] / 60)
    ax.legend(loc="best", fontsize=9)
    style.save(figure, path)


def _liveliest(anchor_bpm: NDArray[np.float32]) -> int:
    """Start of the window with the largest spread of heart rate and none of it missing."""
    starts = range(120, max(len(anchor_bpm) - _FAN_S, 121), 30)
    spreads = [float(np.std(anchor_bpm[start : start + _FAN_S])) for start in starts]
    return starts[int(np.nanargmax(spreads))] if np.isfinite(spreads).any() else starts[0]


def _panels(count: int, *, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """Panels in rows of `_COLUMNS`; what is left of the last row stays empty."""
    style.apply()
    columns = min(count, _COLUMNS)
    rows = -(-count // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(max(width * columns, 5), height * rows), squeeze=False)
    panels = list(axes.flat)
    for ax in panels[count:]:
        ax.set_visible(False)
    return figure, panels[:count]


def _titled(ax: Axes, score: DataSetScore) -> None:
    ax.set_title(f"{score.name}\n", fontsize=10)
    people = "1 person" if score.people == 1 else f"{score.people} people"
    sessions = "1 session" if score.sessions == 1 else f"{score.sessions} sessions"
    ax.text(0, 1.02, f"{people}, {sessions}", transform=ax.transAxes, fontsize=8.5, color=style.MUTED)


def _legend(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)


def errors(scores: Sequence[DataSetScore], path: Path) -> None:
    """Error by horizon, baselines beside the LSTM and the mixture, one panel per data set."""
    figure, axes = _panels(len(scores), width=3.8, height=3.4)
    for i, (ax, score) in enumerate(zip(axes, scores, strict=True)):
        shown = [m for m in score.methods if m.name in _BARS]
        _bars(
            ax,
            {m.name: m.mae_bpm for m in shown},
            [f"{h} s ahead" for h in HORIZONS_S],
            {m.name: m.sd_bpm for m in shown if m.sd_bpm},
        )
        _cut(ax, _TALLEST * max(m.mae_bpm[-1] for m in shown if m.name == "persistence"))
        _titled(ax, score)
        if i % _COLUMNS == 0:
            ax.set_ylabel("mean absolute error (bpm)")
    _legend(figure, axes[0])
    style.save(figure, path)


def _cut(ax: Axes, top: float) -> None:
    """End the axis at `top`; a bar that goes beyond says how far."""
    for bar in ax.patches:
        if isinstance(bar, Rectangle) and bar.get_height() > top:
            middle = bar.get_x() + bar.get_width() / 2
            ax.annotate(
                f"{bar.get_height():.0f}", (middle, top), (0, 2), textcoords="offset points", ha="center", fontsize=8.5
            )
            ax.set_ylim(top=top)


def phases(scores: Sequence[DataSetScore], path: Path) -> None:
    """Error over persistence's by phase at one horizon, one panel per data set."""
    column = HORIZONS_S.index(_ALERT_S)
    figure, axes = _panels(len(scores), width=3.8, height=3.2)
    for i, (ax, score) in enumerate(zip(axes, scores, strict=True)):
        by_phase = {m.name: np.array(m.phase_mae_bpm)[:, column] for m in score.methods}
        shown = [name for name in _BARS if name in by_phase and name != "persistence"]
        _bars(ax, {name: (by_phase[name] / by_phase["persistence"]).tolist() for name in shown}, PHASES)
        ax.axhline(1, color=style.INK, linewidth=1)
        _titled(ax, score)
        if i % _COLUMNS == 0:
            ax.set_ylabel(f"error / persistence, {_ALERT_S} s ahead")
    _legend(figure, axes[0])
    style.save(figure, path)


def _bars(
    ax: Axes,
    heights: Mapping[str, Sequence[float]],
    groups: Sequence[str],
    whiskers: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Groups of bars side by side, one bar per method in each."""
    width = 0.84 / len(heights)
    for i, (name, values) in enumerate(heights.items()):
        ax.bar(
            np.arange(len(groups)) + (i - (len(heights) - 1) / 2) * width,
            values,
            width * 0.92,
            yerr=(whiskers or {}).get(name),
            color=_BARS[name],
            error_kw={"ecolor": style.INK, "elinewidth": 1},
            label=name,
        )
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set_xlim(-0.5, len(groups) - 0.5)
    ax.grid(visible=False, axis="x")


def calibration(scores: Sequence[DataSetScore], path: Path) -> None:
    """Share of outcomes inside the interval before and after the conformal step, one panel per data set."""
    figure, axes = _panels(len(scores), width=3.6, height=2.2)
    rows = np.arange(len(HORIZONS_S))[::-1]
    for ax, score in zip(axes, scores, strict=True):
        before, after = (np.array(c.inside) * 100 for c in score.calibrations)
        ax.axvspan(77, 83, color="#e3efe6", linewidth=0)
        ax.axvline(80, color="#7fa98a", linewidth=1)
        ax.hlines(rows, np.minimum(before, after), np.maximum(before, after), color=style.MUTED, linewidth=1.4)
        ax.plot(before, rows, "o", color="white", markeredgecolor=style.BAND, markersize=7, label="as trained (lstm)")
        ax.plot(after, rows, "o", color=_LEARNED, markersize=7, label="after the conformal step (mixture)")
        ax.set_yticks(rows, [f"{h} s" for h in HORIZONS_S])
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.set_xlim(min(65, before.min() - 3, after.min() - 3), max(90, before.max() + 3, after.max() + 3))
        ax.grid(visible=False, axis="y")
        _titled(ax, score)
    for ax in axes[-_COLUMNS:]:
        ax.set_xlabel("inside the 80 % interval (%)")
    _legend(figure, axes[0])
    style.save(figure, path)


def people(athletes: Sequence[AthleteScore], path: Path) -> None:
    """Error over persistence's for each athlete, in the first and in the second half of the sessions."""
    style.apply()
    wanted = (WITH_LOAD, HEART_RATE)
    figure, axes = plt.subplots(
        len(wanted), len(HORIZONS_S), figsize=(3.8 * len(HORIZONS_S), 5.6), squeeze=False, sharey="row"
    )
    looks = (
        (LSTM, 0, "#b9d9e4", "lstm, first half of the sessions"),
        (LSTM, 1, style.BAND, "lstm, second half"),
        (MIXTURE, 0, "#8fa6b5", "mixture, first half"),
        (MIXTURE, 1, _LEARNED, "mixture, second half"),
    )
    for row, inputs in enumerate(wanted):
        for column, horizon_s in enumerate(HORIZONS_S):
            ax = axes[row, column]
            for i, (method, half, colour, label) in enumerate(looks):
                heights = [
                    next((s.halves[half][column] for s in a.skills if (s.method, s.inputs) == (method, inputs)), np.nan)
                    for a in athletes
                ]
                ax.bar(np.arange(len(athletes)) + (i - 1.5) * 0.2, heights, 0.185, color=colour, label=label)
            ax.axhline(1, color=style.INK, linewidth=1)
            ax.set_xticks(range(len(athletes)), [a.person.replace("-", "-\n", 1) for a in athletes], fontsize=8.5)
            ax.grid(visible=False, axis="x")
            ax.set_title(f"{horizon_s} s ahead, {inputs}", fontsize=10)
        axes[row, 0].set_ylabel("error / persistence")
    _legend(figure, axes[0, 0])
    style.save(figure, path)
