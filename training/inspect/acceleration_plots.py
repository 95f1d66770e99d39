"""Pictures of recorded acceleration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from edge_agent.recordings.acceleration import AccelerationRecording
from edge_agent.signals.acceleration import RATE_HZ, WINDOW_SAMPLES
from training import style
from training.activity.classes import CLASSES
from training.activity.dataset import Session

_AXES = ((style.HEART, "x"), (style.BAND, "y"), ("#e0a458", "z"))
_COLOURS = (style.BAND, style.HEART, "#e0a458", "#5b8c5a", "#7a6c9d", style.MUTED)
_BLUES = LinearSegmentedColormap.from_list("minutes", ["#f3f7f9", style.BAND])
_DARK = 0.6  # of the darkest cell, from which on ink is not readable


def _places(sessions: Sequence[Session]) -> list[tuple[str, str]]:
    return sorted({(s.source, s.placement) for s in sessions})


def balance(sessions: Sequence[Session]) -> Figure:
    """Minutes of each class, and how many people did it, by source and placement."""
    style.apply()
    places = _places(sessions)
    minutes = np.zeros((len(places), len(CLASSES)))
    people: list[list[set[str]]] = [[set() for _ in CLASSES] for _ in places]
    for session in sessions:
        row = places.index((session.source, session.placement))
        minutes[row, session.label] += len(session.signal_mps2) / RATE_HZ / 60
        people[row][session.label].add(session.group)
    figure, ax = plt.subplots(figsize=(11, 1.3 + 0.75 * len(places)))
    ax.imshow(minutes, cmap=_BLUES, aspect="auto", vmin=0)
    for row in range(len(places)):
        for column in range(len(CLASSES)):
            dark = minutes[row, column] > _DARK * minutes.max()
            text = f"{minutes[row, column]:.0f} min\n{len(people[row][column])} people" if minutes[row, column] else "-"
            ax.text(column, row, text, ha="center", va="center", fontsize=8.5, color="white" if dark else style.INK)
    ax.set_xticks(range(len(CLASSES)), [name.replace("_", " ").replace(" or ", " or\n") for name in CLASSES])
    ax.set_yticks(range(len(places)), [f"{source}\n{placement}" for source, placement in places])
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return figure


def distributions(sessions: Sequence[Session]) -> Figure:
    """Spread of the magnitude over windows, by class, source and placement."""
    style.apply()
    places = _places(sessions)
    figure, axes = plt.subplots(3, 3, figsize=(11, 6.2), sharex=True)
    bins = np.geomspace(0.02, 40, 50)
    for label, ax in enumerate(axes.flat):
        for place, colour in zip(places, _COLOURS * len(places), strict=False):
            spreads = [_spread(s) for s in sessions if s.label == label and (s.source, s.placement) == place]
            if spreads:
                values = np.concatenate(spreads)
                counts, _ = np.histogram(values.clip(bins[0], bins[-1]), bins)
                ax.stairs(100 * counts / max(counts.sum(), 1), bins, fill=True, color=colour, alpha=0.5)
        ax.set_xscale("log")
        ax.set_title(CLASSES[label].replace("_", " "), fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("movement (m/s²)")
    for ax in axes[:, 0]:
        ax.set_ylabel("windows (%)")
    handles = [Rectangle((0, 0), 1, 1, color=c, alpha=0.5) for _, c in zip(places, _COLOURS, strict=False)]
    figure.legend(handles, [" ".join(p) for p in places], loc="outside upper left", ncols=len(places), fontsize=9)
    return figure


def _spread(session: Session) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    count = len(session.signal_mps2) // WINDOW_SAMPLES
    windows = session.signal_mps2[: count * WINDOW_SAMPLES].reshape(count, WINDOW_SAMPLES, 3)
    return np.asarray(np.linalg.norm(windows, axis=2).std(axis=1))


def gaps(recordings: Sequence[AccelerationRecording]) -> Figure:
    """Length of what lies between two pauses, and rates."""
    style.apply()
    sources = sorted({r.source for r in recordings})
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2))
    lengths = [[r.duration_s for r in recordings if r.source == source] for source in sources]
    rates = [[r.rate_hz for r in recordings if r.source == source] for source in sources]
    colours = (_COLOURS * len(sources))[: len(sources)]
    longest_s = max(max(own) for own in lengths)
    left.hist(
        lengths,
        bins=np.geomspace(5, max(longest_s * 1.05, 10), 40).tolist(),
        stacked=True,
        color=colours,
        label=sources,
    )
    left.set_xscale("log")
    left.set(xlabel="length (s)", ylabel="recordings", title="Recordings without a hole")
    left.set_xticks([5, 10, 30, 60, 180, 300], ["5", "10", "30", "60", "180", "300"])
    right.hist(
        rates,
        bins=np.linspace(15, max(105, *(max(own) for own in rates)), 46).tolist(),
        stacked=True,
        color=colours,
        label=sources,
    )
    right.axvline(RATE_HZ, color=style.INK, linewidth=1, linestyle="--")
    right.set(xlabel="samples per second", title="Rates")
    for ax in (left, right):
        ax.legend(fontsize=9)
    return figure


def traces(sessions: Sequence[Session]) -> Figure:
    """Five seconds of each class."""
    style.apply()
    figure, axes = plt.subplots(3, 3, figsize=(11, 6.2), sharex=True)
    t_s = np.arange(WINDOW_SAMPLES) / RATE_HZ
    for label, ax in enumerate(axes.flat):
        session = next((s for s in sessions if s.label == label), None)
        ax.set_title(CLASSES[label].replace("_", " "), fontsize=10, loc="left")
        if session is None:
            ax.text(0.5, 0.5, "not recorded", ha="center", va="center", transform=ax.transAxes, color=style.MUTED)
            continue
        start = (len(session.signal_mps2) - WINDOW_SAMPLES) // 2
        for axis, (colour, name) in enumerate(_AXES):
            ax.plot(
                t_s, session.signal_mps2[start : start + WINDOW_SAMPLES, axis], color=colour, linewidth=1.1, label=name
            )
        ax.set_title(f"{session.group}, {session.placement}", fontsize=8.5, loc="right", color=style.MUTED)
    for ax in axes[-1]:
        ax.set_xlabel("s")
    for ax in axes[:, 0]:
        ax.set_ylabel("m/s²")
    handles = [Line2D([], [], color=colour, label=name) for colour, name in _AXES]
    figure.legend(handles=handles, loc="outside upper left", ncols=3, fontsize=9)
    return figure
