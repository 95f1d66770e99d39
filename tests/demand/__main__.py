"""Scores the forecast of demand and writes `docs/demand.md`: `python -m tests.demand [--bikeshare FILE]`.

The file is Bikeshare.csv of the PyPI package ISLP (https://pypi.org/project/ISLP): bikes hired in Washington, D.C., in
each hour of 2011, from the UCI repository (Fanaee-T, CC BY 4.0).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from heartline_backend.demand import DAYS, FEWEST_WEEKS, HOURS, Forecast, closures, forecast
from tests.demand.gyms import gym
from training.tables import table

REPOSITORY = Path(__file__).parent.parent.parent
REPORT, PICTURE = REPOSITORY / "docs" / "demand.md", REPOSITORY / "docs" / "demand.png"

GYMS, WEEKS = 60, 52
_FIRST_SCORED = 4
_RESAMPLES = 4000
# Hires an hour in Washington are twenty times a gym's sessions: thinned to such a share, they have a gym's size.
_THINNED = (1.0, 0.2, 0.05)
# The 1st of January 2011 was a Saturday.
_BEFORE_THE_FIRST_MONDAY = 2

Weeks = NDArray[np.float64]

_WAYS: dict[str, Callable[[Weeks], Weeks]] = {
    "same hour last week (baseline)": lambda past: past[-1],
    "mean of the last 4 weeks": lambda past: past[-4:].mean(axis=0),
    "median of the last 5 weeks": lambda past: np.median(past[-5:], axis=0),
    "**Heartline**": lambda past: forecast(past).middle,
}
_OURS = list(_WAYS)[-1]


@dataclass(frozen=True, slots=True)
class Score:
    """How far off each way was in one place.

    Attributes:
        sessions: a week, on average.
        errors: mean absolute error in sessions per hour, by way.
        inside: share of the hours with a session expected whose number lay in Heartline's interval.
        total_error: of Heartline's sum over a week, relative to what came in it; weeks without a closure.
        baseline_total_error: the same of last week's sum.
    """

    sessions: float
    errors: dict[str, float]
    inside: float
    total_error: float
    baseline_total_error: float

    def ratio(self, way: str) -> float:
        """Error against that of the baseline."""
        return self.errors[way] / self.errors[next(iter(_WAYS))]


def score(weeks: Weeks, first: int = _FIRST_SCORED) -> Score:
    """Forecast each week from those before it, and compare."""
    numbers = range(first, len(weeks))
    errors = {
        way: float(np.mean([np.abs(f(weeks[:n]) - weeks[n]).mean() for n in numbers])) for way, f in _WAYS.items()
    }
    made = [(forecast(weeks[:n]), weeks[n]) for n in numbers]
    inside = np.concatenate([((f.low <= came) & (came <= f.high))[f.expected >= 1] for f, came in made])
    totals = weeks.sum(axis=(1, 2))
    all_open = ~closures(weeks).any(axis=1) & (totals > 0)
    whole = [n for n in numbers if all_open[n] and all_open[n - 1]]
    return Score(
        float(totals.mean()),
        errors,
        _mean(inside),
        _mean([abs(forecast(weeks[:n]).expected.sum() / totals[n] - 1) for n in whole]),
        _mean([abs(totals[n - 1] / totals[n] - 1) for n in whole]),
    )


def _mean(values: Sequence[float] | NDArray[np.bool_]) -> float:
    return float(np.mean(values)) if len(values) else float("nan")


def main() -> None:
    """Score, draw and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.demand", description=__doc__)
    parser.add_argument("--bikeshare", type=Path, metavar="FILE", help="real counts, see above")
    args = parser.parse_args()
    gyms = [gym(seed, WEEKS) for seed in range(GYMS)]
    scores = [score(weeks) for weeks in gyms]
    sections = [_head(scores), _by_way(scores), _by_size(scores), _early(gyms)]
    if args.bikeshare:
        sections.append(_bikeshare(args.bikeshare))
    draw(gyms, scores)
    REPORT.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    sys.stdout.write(f"wrote {REPORT} and {PICTURE}\n")


def _head(scores: list[Score]) -> str:
    ratios = np.array([s.ratio(_OURS) for s in scores])
    low, high = _interval(ratios)
    return (
        "# How good the forecast of demand is\n\n"
        "Written by `python -m tests.demand --bikeshare Bikeshare.csv`. `heartline-backend demand` says how many "
        "sessions begin in each hour of the week, and how many will next week; how is told in "
        "`heartline_backend/demand.py`. Each week from the fifth on is forecast from the weeks before it alone.\n\n"
        f"On {GYMS} made-up gyms of a year each, its error per hour is {ratios.mean():.2f} times that of the same hour "
        f"last week (95 % of resamplings of the gyms: {low:.2f} to {high:.2f}; best gym {ratios.min():.2f}, worst "
        f"{ratios.max():.2f}); it beats that baseline in {int((ratios < 1).sum())} of {GYMS}. Where nothing changes "
        "and people come independently of each other, knowing their rates exactly would give about .7: the rest is "
        "chance.\n\n![A gym's week, its forecast, and how all gyms fare](demand.png)\n\n"
        "The gyms come from `tests/demand/gyms.py`, which shares nothing with the forecast: opening hours, habits of "
        "weekdays and weekends, a timetable of classes that changes every quarter, drift, January and summer, one "
        "step, weather that moves whole days, nine holidays and a closed week. The forecast knows none of that ahead; "
        "a holiday it cannot know costs every way the same. Its constants were chosen on other gyms of this generator, "
        "so that real gyms may differ by more than the interval says. Demand counts the sessions that devices have "
        "published: people without one are not in it."
    )


def _by_way(scores: list[Score]) -> str:
    rows = []
    for way in _WAYS:
        ratios = np.array([s.ratio(way) for s in scores])
        low, high = _interval(ratios)
        mae = np.mean([s.errors[way] for s in scores])
        rows.append(
            [way, f"{mae:.3f}", f"{ratios.mean():.3f}", f"{low:.3f} to {high:.3f}", str(int((ratios < 1).sum()))]
        )
    head = ["way", "error (sessions per hour)", "against the baseline", "95 %", f"better in (of {len(scores)})"]
    inside = np.mean([s.inside for s in scores])
    total, baseline = np.mean([s.total_error for s in scores]), np.mean([s.baseline_total_error for s in scores])
    return (
        f"## Ways to forecast\n\n{table(head, rows, text_columns=1)}\n\nThe interval, which claims 80 %, held "
        f"{100 * inside:.0f} % of the hours in which at least one session was expected: among few whole numbers there "
        f"are no narrower ones. The sum of a week without closures was {100 * total:.1f} % off, last week's "
        f"{100 * baseline:.1f} %."
    )


def _by_size(scores: list[Score]) -> str:
    rows = []
    for low, high in ((0, 100), (100, 300), (300, 800), (800, 10_000)):
        of_size = [s for s in scores if low <= s.sessions < high]
        rows.append(
            [
                f"{low} to {high}" if high < 10_000 else f"{low} and more",
                str(len(of_size)),
                f"{np.mean([s.errors[_OURS] for s in of_size]):.2f}",
                f"{np.mean([s.ratio(_OURS) for s in of_size]):.2f}",
                f"{max(s.ratio(_OURS) for s in of_size):.2f}",
                f"{100 * np.mean([s.inside for s in of_size]):.0f}",
            ]
        )
    head = ["sessions a week", "gyms", "error (sessions per hour)", "against the baseline", "worst gym", "inside (%)"]
    return f"## By size\n\n{table(head, rows, text_columns=1)}"


def _early(gyms: list[Weeks]) -> str:
    rows = []
    for known in range(FEWEST_WEEKS, 7):
        ratios = np.array([score(weeks[: known + 1], known).ratio(_OURS) for weeks in gyms])
        rows.append([str(known), f"{np.median(ratios):.2f}", str(int((ratios < 1).sum()))])
    head = ["whole weeks known", "against the baseline (median gym)", f"better in (of {len(gyms)})"]
    return f"## A new gym\n\n{table(head, rows, text_columns=1)}"


def _bikeshare(file: Path) -> str:
    hires = _hires(file)
    random = np.random.default_rng(1)
    rows = []
    for share in _THINNED:
        weeks = random.binomial(hires.astype(int), share).astype(float)
        found = score(weeks)
        rows.append(
            [
                f"{100 * share:.0f} %",
                f"{found.sessions:.0f}",
                *(f"{found.ratio(way):.2f}" for way in list(_WAYS)[1:]),
                f"{100 * found.inside:.0f}",
            ]
        )
    head = ["hires counted", "a week", *list(_WAYS)[1:], "inside (%)"]
    return (
        "## Real counts\n\nNo gym publishes what comes by the hour over a year. The nearest that is real and open: "
        "bikes hired in Washington, D.C., in each hour of 2011 (UCI, CC BY 4.0, as in the PyPI package ISLP), which "
        "have commuters, weekends, seasons, holidays, and weather that no way here knows. A part of the hires, drawn "
        f"by chance, has a gym's size. Error against the baseline's:\n\n{table(head, rows, text_columns=1)}\n\nThe "
        "weather moves whole days of hires far more than it does a gym's, which the interval does not foresee: the "
        "more there are in an hour, the less chance there is within it, and the fewer hours it holds."
    )


def _hires(file: Path) -> Weeks:
    """Hires of each hour, (weeks, 7, 24), from the first Monday on; hours that are missing had none."""
    hires = np.zeros((365, HOURS))
    with file.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            hires[int(row["day"]) - 1, int(row["hr"])] = float(row["bikers"])
    days = hires[_BEFORE_THE_FIRST_MONDAY:]
    return days[: len(days) // DAYS * DAYS].reshape(-1, DAYS, HOURS)


def _interval(ratios: NDArray[np.float64]) -> tuple[float, float]:
    """Of their mean: 95 % of resamplings."""
    random = np.random.default_rng(0)
    means = random.choice(ratios, (_RESAMPLES, len(ratios))).mean(axis=1)
    return float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))


def draw(gyms: list[Weeks], scores: list[Score]) -> None:
    """A gym's usual week, a week of it as forecast and as it came, and every gym's ratio."""
    mpl.use("Agg")
    shown = int(np.argsort([abs(s.sessions - 600) for s in scores])[0])
    weeks = gyms[shown]
    number = int(np.flatnonzero(~closures(weeks).any(axis=1))[-1])  # a week without a holiday
    made, came = forecast(weeks[:number]), weeks[number]
    figure = plt.figure(figsize=(11, 7.2), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=(2.3, 1), height_ratios=(1, 1.15))
    _draw_usual(figure.add_subplot(grid[0, 0]), made)
    _draw_ratios(figure.add_subplot(grid[0, 1]), scores)
    _draw_week(figure.add_subplot(grid[1, :]), made, came, weeks[number - 1])
    figure.savefig(PICTURE, dpi=110)
    plt.close(figure)


_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_BLUE, _ORANGE, _GREY = "#2a6f97", "#e07a1f", "#9aa5ab"


def _draw_usual(axes: Axes, made: Forecast) -> None:
    shown = axes.imshow(made.usual, aspect="auto", cmap="YlGnBu", extent=(0, HOURS, DAYS, 0))
    axes.set_yticks(np.arange(DAYS) + 0.5, _NAMES)
    axes.set_xticks(range(0, HOURS + 1, 3), [f"{hour}:00" for hour in range(0, HOURS + 1, 3)])
    axes.set_title("Sessions by hour and weekday, mean of the past weeks", loc="left", fontsize=11)
    axes.figure.colorbar(shown, ax=axes, label="sessions per hour", pad=0.01)


def _draw_ratios(axes: Axes, scores: list[Score]) -> None:
    axes.axhline(1, color=_ORANGE, lw=1.2)
    axes.text(
        0.02, 1.005, "same hour last week", color=_ORANGE, fontsize=9, va="bottom", transform=axes.get_yaxis_transform()
    )
    axes.scatter([s.sessions for s in scores], [s.ratio(_OURS) for s in scores], s=22, color=_BLUE, alpha=0.8, lw=0)
    axes.set_xscale("log")
    axes.set_ylim(0.6, 1.06)
    axes.set_xlabel("sessions a week")
    axes.set_title("Error against the baseline", loc="left", fontsize=11)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_week(axes: Axes, made: Forecast, came: Weeks, before: Weeks) -> None:
    hours = np.arange(DAYS * HOURS)
    low, high = made.low.reshape(-1), made.high.reshape(-1)
    axes.fill_between(hours, low, high, step="mid", color=_BLUE, alpha=0.2, lw=0, label="80 % interval")
    axes.plot(hours, made.expected.reshape(-1), color=_BLUE, lw=1.8, label="expected")
    axes.plot(hours, before.reshape(-1), color=_GREY, lw=1, label="last week")
    axes.scatter(hours, came.reshape(-1), s=9, color=_ORANGE, zorder=3, label="what came")
    axes.set_xticks(np.arange(DAYS) * HOURS, _NAMES, ha="left")
    axes.set_xlim(0, DAYS * HOURS)
    axes.set_ylim(0)
    axes.grid(axis="x", alpha=0.3)
    axes.set_ylabel("sessions per hour")
    axes.set_title("The next week of that gym", loc="left", fontsize=11)
    axes.legend(frameon=False, ncols=4, loc="upper right", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
