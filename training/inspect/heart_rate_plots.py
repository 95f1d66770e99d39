"""Pictures of recorded heart rate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_agent.recordings.recording import CHANNELS, Recording
from training import style
from training.dataset import PUBLISHED_TEST, Session
from training.inspect.odd import runs
from training.scores import PHASES, phase

_USES = {
    "train": style.BAND,
    "validation": "#9fcbd9",
    "held out": "#e0a458",
    PUBLISHED_TEST: style.HEART,
    "too few to split": style.MUTED,
}
_SOURCES = (style.BAND, style.HEART, "#e0a458", "#5b8c5a", "#7a6c9d", style.MUTED)
_PHASES = ("#d8e6ec", style.HEART, style.BAND, "#c9d1d8")
_LABELS = {
    "heart_rate_bpm": "heart rate (bpm)",
    "speed_mps": "speed (m/s)",
    "cadence_rpm": "cadence (rpm)",
    "power_w": "power (W)",
    "altitude_m": "altitude (m)",
}
_MOST_PEOPLE = 24
_TRACES = 6


def balance(sessions: Sequence[Session], uses: Sequence[str]) -> Figure:
    """Hours of each person by use, and by phase."""
    style.apply()
    hours: dict[str, dict[str, float]] = {}
    phases: dict[str, NDArray[np.float64]] = {}
    for session, use in zip(sessions, uses, strict=True):
        person = session.recording.person
        seconds = np.bincount(phase(session)[~np.isnan(session.anchor_bpm)], minlength=len(PHASES))
        by_use = hours.setdefault(person, {})
        by_use[use] = by_use.get(use, 0.0) + session.recording.duration_s / 3600
        phases[person] = phases.get(person, np.zeros(len(PHASES))) + seconds
    people = sorted(hours, key=lambda p: -sum(hours[p].values()))[:_MOST_PEOPLE]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 1.6 + 0.34 * len(people)), sharey=True)
    at = np.arange(len(people))[::-1]
    before = np.zeros(len(people))
    for use, colour in _USES.items():
        width = np.array([hours[p].get(use, 0.0) for p in people])
        if width.any():
            left.barh(at, width, left=before, color=colour, height=0.7, label=use)
            before += width
    left.set_yticks(at, people)
    left.set_xlabel("hours")
    shares = np.array([phases[p] / max(phases[p].sum(), 1) for p in people])
    before = np.zeros(len(people))
    for i, name in enumerate(PHASES):
        right.barh(at, 100 * shares[:, i], left=before, color=_PHASES[i], height=0.7, label=name)
        before += 100 * shares[:, i]
    right.set_xlabel("seconds with heart rate (%)")
    for ax in (left, right):
        ax.grid(visible=False, axis="y")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=8.5)
    return figure


def distributions(recordings: Sequence[Recording]) -> Figure:
    """Histograms of every channel, by source."""
    style.apply()
    sources = sorted({r.source for r in recordings})
    shown = [name for name in CHANNELS if any(name in r.channels for r in recordings)]
    columns = min(len(shown), 3)
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(3.9 * columns, 2.5 * rows + 0.4), squeeze=False)
    panels = list(axes.flat)
    for ax in panels[len(shown) :]:
        ax.set_visible(False)
    for ax, name in zip(panels, shown, strict=False):
        values = [
            np.concatenate([_finite(r.channels[name]) for r in recordings if r.source == source and name in r.channels])
            if any(r.source == source and name in r.channels for r in recordings)
            else np.zeros(0, np.float32)
            for source in sources
        ]
        low, high = np.percentile(np.concatenate(values), [0.05, 99.95])
        bins = np.linspace(low, high if high > low else low + 1, 60)
        for source, colour, own in zip(sources, _SOURCES * len(sources), values, strict=False):
            if own.size:
                counts, _ = np.histogram(own, bins)
                ax.stairs(100 * counts / own.size, bins, fill=True, color=colour, alpha=0.55, label=source)
        ax.set_xlabel(_LABELS[name])
        ax.grid(visible=False, axis="x")
    for row in axes:
        row[0].set_ylabel("seconds (%)")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), fontsize=9)
    return figure


def gaps(recordings: Sequence[Recording]) -> Figure:
    """How long heart rate is missing, and how much of each recording has it."""
    style.apply()
    lengths = [length for r in recordings for _, length in runs(np.isnan(r.channels["heart_rate_bpm"]))]
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2))
    edges = np.array([1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 48 * 3600])
    counts, _ = np.histogram(lengths, edges)
    names = ["1", "2", "3-4", "5-9", "10-19", "20-29", "30-59", "1-2 min", "2-5", "5-10", "10-30", "30-60", "> 1 h"]
    bars = left.bar(range(len(counts)), counts, color=style.BAND, width=0.8)
    left.bar_label(bars, [str(c) if c else "" for c in counts], fontsize=8, color=style.INK, padding=1)
    left.set_xticks(range(len(counts)), names, fontsize=8, rotation=40, ha="right")
    left.set(xlabel="length (s, then min)", ylabel="gaps", title=f"{len(lengths):,} gaps in heart rate")
    left.grid(visible=False, axis="x")
    present = np.sort([100 * float((~np.isnan(r.channels["heart_rate_bpm"])).mean()) for r in recordings])
    right.fill_between(np.arange(len(present) + 1), np.append(present, present[-1]), step="post", color="#d8e6ec")
    right.step(np.arange(len(present) + 1), np.append(present, present[-1]), where="post", color=style.BAND)
    right.set(xlabel="recordings, the emptiest first", ylabel="seconds with heart rate (%)", ylim=(0, 104))
    right.set_xlim(0, len(present))
    right.set_title("How much of each recording has heart rate")
    return figure


def traces(recordings: Sequence[Recording]) -> Figure:
    """Heart rate, and load where there is one, of some recordings."""
    style.apply()
    shown = _examples(recordings)
    columns = 2 if len(shown) > 1 else 1
    rows = -(-len(shown) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(5.5 * columns, 2.1 * rows + 0.5), squeeze=False)
    panels = list(axes.flat)
    for ax in panels[len(shown) :]:
        ax.set_visible(False)
    for ax, recording in zip(panels, shown, strict=False):
        _trace(ax, recording)
    for ax in axes[-1]:
        ax.set_xlabel("time in recording (min)")
    return figure


def _trace(ax: Axes, recording: Recording) -> None:
    minutes = np.arange(recording.duration_s) / 60
    load = next((n for n in ("power_w", "speed_mps", "cadence_rpm") if n in recording.channels), None)
    if load:
        twin = ax.twinx()
        smooth = np.convolve(np.nan_to_num(recording.channels[load]), np.ones(15) / 15, "same")
        twin.fill_between(minutes, smooth, color="#e6eaee", linewidth=0)
        twin.set_ylabel(_LABELS[load], color=style.MUTED, fontsize=8.5)
        twin.tick_params(colors=style.MUTED, labelsize=8)
        twin.grid(visible=False)
        twin.set_ylim(bottom=0)
        ax.set_zorder(twin.get_zorder() + 1)
        ax.patch.set_visible(False)
    ax.plot(minutes, recording.channels["heart_rate_bpm"], color=style.HEART, linewidth=1.1)
    ax.set_ylabel("bpm", color=style.HEART, fontsize=8.5)
    ax.set_xlim(0, max(minutes[-1], 1 / 60))
    ax.set_title(f"{recording.person}  {recording.session}", fontsize=8.5)


def _examples(recordings: Sequence[Recording]) -> list[Recording]:
    """First and last of each person, people in turn, up to `_TRACES`."""
    by_person: dict[tuple[str, str], list[Recording]] = {}
    for recording in recordings:
        by_person.setdefault((recording.source, recording.person), []).append(recording)
    firsts = [own[0] for own in by_person.values()]
    lasts = [own[-1] for own in by_person.values() if len(own) > 1]
    chosen = (firsts[: max(_TRACES - len(lasts), _TRACES // 2)] + lasts)[:_TRACES]
    return [r for own in by_person.values() for r in own if any(r is c for c in chosen)]


def _finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[~np.isnan(values)]
