"""The pictures of the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from numpy.typing import NDArray

from edge_agent.signals.recovery import HORIZONS_S
from training import style
from training.recovery.dataset import LENGTH_S, ORIGIN_S, Recovered, measured_bpm
from training.recovery.evaluate import MethodScore, people
from training.recovery.summary import LSTM, ONE_SEED

CAPTIONS = (
    (
        "recovery-curves.png",
        "Recoveries of people the model has not seen, and what it forecast half a minute after the stop",
    ),
    ("recovery-people.png", "Error by person and method"),
    ("recovery-seconds.png", "The forecast gets better every second; with the baselines' level at half a minute"),
    ("recovery-population.png", "The simulated population, and the recorded recoveries in it"),
)

_SECOND = "#e0a458"
_GREYS = ("#dfe4e8", "#c3ccd4", "#a7b3be", "#8a97a3", "#6d7c89")
_BEFORE_S, _AFTER_S = 60, 180
_PER_PERSON = 2


def curves(recovered: Sequence[Recovered], quantiles: NDArray[np.float32], path: Path) -> None:
    """Heart rate around the stop with the fan forecast at the origin, some recoveries of each person.

    Args:
        recovered: scored recoveries.
        quantiles: of the change at every second, (recoveries, seconds, horizons, quantiles).
        path: PNG to write.
    """
    style.apply()
    who = people(recovered)
    figure, axes = plt.subplots(
        _PER_PERSON, len(who), figsize=(3.7 * len(who), 2.9 * _PER_PERSON), squeeze=False, sharex=True, sharey="row"
    )
    for column, person in enumerate(who):
        mine = [i for i, r in enumerate(recovered) if r.recording.person == person]
        # The first and the last: nobody chose the prettiest.
        for row, i in enumerate((mine[0], mine[-1])):
            _curve(axes[row, column], recovered[i], quantiles[i, ORIGIN_S - 1])
        axes[0, column].set_title(person, fontsize=10)
        axes[-1, column].set_xlabel("seconds after the stop")
    for ax in axes[:, 0]:
        ax.set_ylabel("heart rate (bpm)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    style.save(figure, path)


def _curve(ax: Axes, recovered: Recovered, quantiles: NDArray[np.float32]) -> None:
    seconds = np.arange(-_BEFORE_S, _AFTER_S + 1)
    bpm = [measured_bpm(recovered.recording, recovered.stop.stop_t_s + int(s)) for s in seconds]
    now_bpm = recovered.now_bpm[ORIGIN_S - 1]
    at = np.array([ORIGIN_S, *HORIZONS_S])
    low, mid, high = (np.concatenate([[now_bpm], now_bpm + quantiles[:, q]]) for q in range(3))
    ax.axvspan(-_BEFORE_S, 0, color="#f3f5f7", linewidth=0)
    ax.fill_between(at, low, high, color=style.BAND, alpha=0.22, linewidth=0, label="forecast 10 % to 90 %")
    ax.plot(at, mid, color=style.BAND, marker="o", markersize=4, linewidth=1.6, label="forecast median")
    ax.plot(seconds, bpm, color=style.HEART, linewidth=1.8, label="measured")
    ax.axhline(recovered.baseline_bpm, color=style.MUTED, linestyle="--", linewidth=1, label="lowest of the session")
    ax.set_xlim(-_BEFORE_S, _AFTER_S)
    ax.set_xticks([-60, 0, 60, 120, 180])


def person_bars(methods: Sequence[MethodScore], path: Path) -> None:
    """Error by person, one panel per horizon; persistence and the free fit are off the scale of interest."""
    style.apply()
    shown = [m for m in methods if m.name not in {"persistence", "free mono-exponential", ONE_SEED}]
    colours = [*_GREYS[1 : len(shown)], style.BAND]
    who = ["everybody", *shown[0].by_person_bpm]
    figure, axes = plt.subplots(1, len(HORIZONS_S), figsize=(10, 3.7), squeeze=False)
    width = 0.84 / len(shown)
    for i, ax in enumerate(axes[0]):
        for j, method in enumerate(shown):
            values = [method.mae_bpm[i], *(mae[i] for mae in method.by_person_bpm.values())]
            at = np.arange(len(who)) + (j - (len(shown) - 1) / 2) * width
            ax.bar(at, values, width * 0.92, color=colours[j], label=method.name)
        ax.set_xticks(range(len(who)), who)
        ax.grid(visible=False, axis="x")
        ax.set_title(f"{HORIZONS_S[i]} s after the stop", fontsize=10)
    axes[0, 0].set_ylabel("mean absolute error (bpm)")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    style.save(figure, path)


def error_by_second(error_bpm: NDArray[np.float64], methods: Sequence[MethodScore], path: Path) -> None:
    """Error of the LSTM by second after the stop.

    Args:
        error_bpm: mean absolute error, (seconds, horizons).
        methods: for the baselines' level at the origin.
        path: PNG to write.
    """
    style.apply()
    figure, ax = plt.subplots(figsize=(7.5, 3.7))
    seconds = np.arange(1, len(error_bpm) + 1)
    for i, (horizon_s, colour) in enumerate(zip(HORIZONS_S, (style.BAND, _SECOND), strict=True)):
        ax.plot(seconds, error_bpm[:, i], color=colour, linewidth=1.8, label=f"heart rate at +{horizon_s} s")
        best = min(m.mae_bpm[i] for m in methods if m.name not in {LSTM, ONE_SEED})
        ax.plot(ORIGIN_S, best, marker="_", markersize=18, markeredgewidth=2, color=colour)
        ax.annotate("best baseline", (ORIGIN_S, best), (12, 0), textcoords="offset points", va="center", fontsize=8.5)
    ax.set(xlabel="seconds after the stop", ylabel="mean absolute error (bpm)", xlim=(0, LENGTH_S))
    ax.set_ylim(bottom=0)
    ax.set_title("How the forecast sharpens")
    ax.legend(fontsize=9)
    style.save(figure, path)


def population(simulated: Sequence[Recovered], recovered: Sequence[Recovered], path: Path) -> None:
    """Falls since the stop: percentiles of the simulated people, and each recorded recovery."""
    style.apply()
    figure, ax = plt.subplots(figsize=(7.5, 4.0))
    seconds = np.arange(0, LENGTH_S + 1, 5)
    falls = _falls(simulated[:: max(len(simulated) // 600, 1)], seconds)
    for outer, alpha in ((5, 0.15), (25, 0.25)):
        low, high = np.nanpercentile(falls, [outer, 100 - outer], axis=0)
        ax.fill_between(
            seconds,
            low,
            high,
            color=style.BAND,
            alpha=alpha,
            linewidth=0,
            label=f"simulated, {outer} % to {100 - outer} %",
        )
    for i, fall in enumerate(_falls(recovered, seconds)):
        ax.plot(seconds, fall, color=style.HEART, linewidth=0.9, alpha=0.8, label="recorded" if i == 0 else None)
    ax.set(xlabel="seconds after the stop", ylabel="heart rate since the stop (bpm)", xlim=(0, LENGTH_S))
    ax.set_title("The population that the model is trained on")
    ax.legend(fontsize=9)
    style.save(figure, path)


def _falls(recovered: Sequence[Recovered], seconds: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.array(
        [[measured_bpm(r.recording, r.stop.stop_t_s + int(s)) - r.at_stop_bpm for s in seconds] for r in recovered]
    )
