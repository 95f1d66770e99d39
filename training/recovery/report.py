"""The report of a training run."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_agent.signals.recovery import HORIZONS_S
from training.recovery.dataset import ORIGIN_S
from training.recovery.evaluate import MethodScore
from training.recovery.summary import LSTM, Results
from training.tables import table

# How much better than the best baseline the LSTM has to be, at every horizon, to take its place on the device.
REQUIRED = 0.10

_AHEAD = [f"+{h} s" for h in HORIZONS_S]


def gains(results: Results) -> list[float]:
    """By which share the LSTM's error is below the best baseline's, by horizon."""
    by_name = {m.name: m for m in results.methods}
    return [1 - by_name[LSTM].mae_bpm[i] / by_name[name].mae_bpm[i] for i, name in enumerate(results.best)]


def verdict(results: Results) -> str:
    """The first line: whether the LSTM earns its place."""
    by_name = {m.name: m for m in results.methods}
    parts = [
        f"{ahead}: {by_name[LSTM].mae_bpm[i]:.2f} bpm against {by_name[name].mae_bpm[i]:.2f} ({name}), {gain:+.1%}"
        for i, (ahead, name, gain) in enumerate(zip(_AHEAD, results.best, gains(results), strict=True))
    ]
    if min(gains(results)) >= REQUIRED:
        return (
            f"On people it has not seen, the LSTM's error is at least {REQUIRED * 100:.0f} % below that of the best "
            f"baseline at both horizons ({'; '.join(parts)})."
        )
    return (
        f"**The LSTM's error is not {REQUIRED * 100:.0f} % below that of the best baseline at both horizons "
        f"({'; '.join(parts)}).**"
    )


def markdown(results: Results, images: Sequence[tuple[str, str]]) -> str:
    """The report.

    Args:
        results: what was measured.
        images: file name and caption of each picture, in order.
    """
    inside = ", ".join(f"{share:.0%} at {a}" for share, a in zip(results.share_inside, _AHEAD, strict=True))
    parts = [
        "# Recovery model: heart rate one and two minutes after an effort",
        verdict(results),
        (
            f"Mean absolute error in bpm of the forecast made {ORIGIN_S} s after the stop, on {results.recoveries} "
            f"recoveries of {len(results.people)} people. The LSTM is trained on simulated people alone; the baselines "
            "are fitted to the other recorded people. Every method sees what the device sees: the stop as the detector "
            "finds it, and the lowest heart rate of the session as baseline. What ships joins the seeds in one cell; "
            "for one seed alone the mean over seeds is given, ± their standard deviation."
        ),
        (
            "The people are few, and the ranges of the simulator and the settings of the training were chosen while "
            "looking at the public cycling set (pypermod), among some thirty variants of which several did not beat "
            "the best baseline by as much: on other people, expect less of a gain than there."
        ),
        _people_table(results),
        _intervals(results),
        f"Inside the 10 % to 90 % interval (nominal 80 %): {inside}.",
        *(f"![{caption}]({name})\n\n*{caption}*" for name, caption in images),
        "## What the simulator is worth",
        (
            "The same network (one seed) trained in three ways, the recordings being those of the other people; and "
            "the ridge of the table above, fitted to the simulated people."
        ),
        table(["trained on", *(f"{a} (bpm)" for a in _AHEAD)], [_row(m) for m in results.ablation]),
        (
            f"On {results.simulated_recoveries} simulated recoveries that were held out, with the baselines fitted to "
            "the other simulated ones. This shows what the network can do where the simulator is right, and nothing "
            "about real people:"
        ),
        table(["method", *(f"{a} (bpm)" for a in _AHEAD)], [_row(m) for m in results.simulated]),
        "## Time until a target",
        f"Forecast {ORIGIN_S} s after the stop: when half of the rise over the baseline will be gone.",
        _targets(results),
        "## Finding the stop",
        *_detection(results),
        "## Sessions to know about",
        "\n".join(f"- {remark}" for remark in results.remarks) or "None.",
        "## Training",
        "\n".join(f"- {name}: {value}" for name, value in results.environment.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _row(method: MethodScore) -> list[str]:
    return [
        method.name,
        *(
            f"{mae:.2f}" + (f" ± {method.sd_bpm[i]:.2f}" if method.sd_bpm else "")
            for i, mae in enumerate(method.mae_bpm)
        ),
    ]


def _people_table(results: Results) -> str:
    head = ["method", *_AHEAD, *(f"{person} {a}" for person in results.people for a in _AHEAD)]
    rows = [
        [*_row(m), *(f"{mae:.2f}" for person in results.people for mae in m.by_person_bpm[person])]
        for m in results.methods
    ]
    return table(head, rows)


def _intervals(results: Results) -> str:
    def text(intervals: list[tuple[float, float]]) -> str:
        return ", ".join(f"{low:.2f} to {high:.2f} at {a}" for (low, high), a in zip(intervals, _AHEAD, strict=True))

    return (
        f"Error relative to the best baseline, 95 % bootstrap interval: {text(results.interval_people)} when people "
        f"are resampled ({len(results.people)} are too few for this to mean much), "
        f"{text(results.interval_recoveries)} when recoveries are resampled within each person."
    )


def _targets(results: Results) -> str:
    return table(
        ["method", "error (s)", "reached", "of these forecast to be", "not reached", "of these forecast to be"],
        [
            [
                t.name,
                f"{t.mae_s:.0f}",
                str(t.reached),
                str(t.said_reached),
                str(t.not_reached),
                str(t.wrongly_reached),
            ]
            for t in results.targets
        ],
    )


def _detection(results: Results) -> list[str]:
    parts = []
    if results.detection:
        rows = []
        for found in results.detection:
            errors_s = np.array(found.errors_s)
            low, mid, high = np.percentile(errors_s, [10, 50, 90]) if errors_s.size else (np.nan,) * 3
            rows.append(
                [
                    found.sensors,
                    f"{len(errors_s)} of {found.sessions}",
                    str(found.false),
                    f"{np.abs(errors_s).mean():.1f}" if errors_s.size else "-",
                    f"{low:.0f} / {mid:.0f} / {high:.0f}",
                    f"{np.median(found.delays_s):.0f}" if found.delays_s else "-",
                    f"{max(found.delays_s)}" if found.delays_s else "-",
                ]
            )
        parts += [
            "In the marked sessions: found minus marked second of the stop, and how late it is announced.",
            table(
                [
                    "sensors",
                    "found",
                    "false",
                    "absolute error (s)",
                    "error, 10/50/90 % (s)",
                    "median delay (s)",
                    "longest delay (s)",
                ],
                rows,
            ),
        ]
    if results.alarms:
        rows = [[a.sensors, str(a.announced), str(a.false), f"{a.false / a.hours:.1f}"] for a in results.alarms]
        parts += [
            (
                f"In {results.alarms[0].recordings} runs ({results.alarms[0].hours:.0f} h) nobody marked anything. A "
                "stop counts as false when speed in the half minute after it is not below 70 % of the minute before."
            ),
            table(["sensors", "announced", "false", "false per hour"], rows),
        ]
    return parts
