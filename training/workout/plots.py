"""The pictures of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.dataset import HORIZONS_S, Session
from training.workout.evaluate import LSTM, LSTM_HEART_RATE, DataSetScore
from training.workout.model import QUANTILES

_INK = "#22303c"
_MUTED = "#8a97a3"
_HEART = "#d1495b"
_BAND = "#2a7f9e"
_BARS = {
    "persistence": "#c9d1d8",
    "damped trend": "#b3bec8",
    "trees": "#e0a458",
    LSTM_HEART_RATE: "#8cbfd0",
    LSTM: _BAND,
}
_DPI = 110
_FAN_S = 600  # ten minutes are as much as one can read


def _style() -> None:
    mpl.use("agg")
    plt.rcParams.update(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": _MUTED,
            "axes.labelcolor": _INK,
            "axes.titlecolor": _INK,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.grid": True,
            "grid.color": "#e6eaee",
            "axes.axisbelow": True,
            "xtick.color": _INK,
            "ytick.color": _INK,
            "text.color": _INK,
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
        }
    )


def fans(session: Session, quantiles: NDArray[np.float32], path: Path) -> None:
    """Forecast fans on the ten minutes of a session in which heart rate moves most.

    Args:
        session: scored session.
        quantiles: its forecasts, (seconds, horizons x quantiles).
        path: PNG to write.
    """
    _style()
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
        ax.fill_between(at, low, high, color=_BAND, alpha=0.22, linewidth=0)
        ax.plot(at, mid, color=_BAND, linewidth=1.6)
        ax.plot(at[0], now, "o", color=_BAND, markersize=4)
    ax.plot(seconds / 60, session.anchor_bpm[seconds], color=_HEART, linewidth=1.8, zorder=3)
    ax.plot([], [], color=_HEART, linewidth=1.8, label="measured")
    ax.plot([], [], color=_BAND, marker="o", markersize=4, label="forecast median, made at the dot")
    ax.fill_between([], [], [], color=_BAND, alpha=0.22, label="forecast 10 % to 90 %")
    ax.set(xlabel="time in session (min)", ylabel="heart rate (bpm)", title="The next minute, as forecast on the way")
    ax.set_xlim(seconds[0] / 60, seconds[-1] / 60)
    ax.legend(loc="best", fontsize=9)
    _save(figure, path)


def _liveliest(anchor_bpm: NDArray[np.float32]) -> int:
    """Start of the window with the largest spread of heart rate and none of it missing."""
    starts = range(120, max(len(anchor_bpm) - _FAN_S, 121), 30)
    spreads = [float(np.std(anchor_bpm[start : start + _FAN_S])) for start in starts]
    return starts[int(np.nanargmax(spreads))] if np.isfinite(spreads).any() else starts[0]


def errors(scores: Sequence[DataSetScore], path: Path) -> None:
    """Error by horizon, baselines beside the LSTM, one panel per data set."""
    _style()
    figure, axes = plt.subplots(1, len(scores), figsize=(max(3.4 * len(scores), 5), 3.9), squeeze=False)
    for ax, score in zip(axes[0], scores, strict=True):
        _error_bars(ax, score)
    axes[0, 0].set_ylabel("mean absolute error (bpm)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    _save(figure, path)


def _error_bars(ax: Axes, score: DataSetScore) -> None:
    shown = [m for m in score.methods if m.name in _BARS]
    width = 0.84 / len(shown)
    for i, method in enumerate(shown):
        at = np.arange(len(HORIZONS_S)) + (i - (len(shown) - 1) / 2) * width
        ax.bar(
            at,
            method.mae_bpm,
            width * 0.92,
            yerr=method.sd_bpm or None,
            color=_BARS[method.name],
            error_kw={"ecolor": _INK, "elinewidth": 1},
            label=method.name,
        )
    ax.set_xticks(range(len(HORIZONS_S)), [f"{h} s ahead" for h in HORIZONS_S])
    ax.grid(visible=False, axis="x")
    ax.set_title(f"{score.name}\n", fontsize=10)
    people = "1 person" if score.people == 1 else f"{score.people} people"
    ax.text(0, 1.02, f"{people}, {score.sessions} sessions", transform=ax.transAxes, fontsize=8.5, color=_MUTED)


def calibration(scores: Sequence[DataSetScore], path: Path) -> None:
    """Share of outcomes below each forecast quantile against what it should be, one panel per data set."""
    _style()
    figure, axes = plt.subplots(
        1, len(scores), figsize=(max(3.2 * len(scores), 4), 4.0), squeeze=False, sharex=True, sharey=True
    )
    for ax, score in zip(axes[0], scores, strict=True):
        ax.plot([0, 100], [0, 100], color=_MUTED, linestyle="--", linewidth=1, label="perfect")
        for below, horizon_s, marker in zip(score.share_below, HORIZONS_S, "o^s", strict=True):
            ax.plot(
                np.array(QUANTILES) * 100,
                np.array(below) * 100,
                marker=marker,
                markersize=5,
                label=f"{horizon_s} s ahead",
            )
        ax.set_title(score.name, fontsize=10)
        ax.set(xlabel="forecast quantile (%)", xticks=[10, 50, 90], yticks=[0, 10, 50, 90, 100])
    axes[0, 0].set_ylabel("outcomes below it (%)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
    plt.close(figure)
