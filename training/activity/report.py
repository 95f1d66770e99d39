"""The report of a training run."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.recordings import dsads, wisdm
from training.activity.calibrate import GIVEN_UP
from training.activity.summary import CNN, FOREST, PartResult, Results, Score
from training.tables import percent, table

# What every part has to reach for the network to take its place on a device.
LEAST_MACRO_F1 = {"dsads, chest": 0.945, "dsads, wrist": 0.93}
LEAST_PERSON = 0.85
LARGEST = 30_000
MOST_MACS = 3_000_000
MOST_LOST = 0.01

_CREDITS = {
    dsads.SOURCE: (
        "B. Barshan and K. Altun, *Daily and Sports Activities* (2010), UCI Machine Learning Repository, "
        "[10.24432/C5C59F](https://doi.org/10.24432/C5C59F), [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/)."
        " The units on chest and wrists; resampled and windowed. Riding and standing in a lift (7, 8) are left out. "
        "In many segments on stairs the last second is zeros, or comes from another flight: such dropouts are bridged."
    ),
    wisdm.SOURCE: (
        "G. Weiss, *WISDM Smartphone and Smartwatch Activity and Biometrics Dataset* (2019), UCI Machine Learning "
        "Repository, [10.24432/C5HK59](https://doi.org/10.24432/C5HK59), "
        "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). The watch's accelerometer; resampled and windowed. "
        "Walking, jogging, stairs, sitting, standing, kicking, catching and dribbling."
    ),
}


def score(result: PartResult, method: str) -> Score:
    """The score of a method on a part."""
    return next(s for s in result.scores if s.method == method)


def lost_by_turning(result: PartResult) -> float:
    """Most macro-F1 that any turn about any axis costs the CNN."""
    return max(values[0] - min(values) for values in result.rotation.values())


def shortfalls(results: Results) -> list[str]:
    """What was asked and not reached, one sentence each."""
    found = []
    for result in results.parts:
        cnn = score(result, CNN)
        if result.gain_interval[0] <= 0:
            found.append(f"{result.part}: the CNN is not above the forest for certain")
        least = LEAST_MACRO_F1.get(result.part)
        if least is not None:
            if cnn.macro_f1 < least:
                found.append(f"{result.part}: macro-F1 {cnn.macro_f1:.3f}, {least} asked")
            person, worst = min(cnn.by_person.items(), key=lambda item: item[1])
            if worst < LEAST_PERSON:
                found.append(f"{result.part}: {worst:.3f} for {person}, {LEAST_PERSON} asked for everybody")
        if (lost := lost_by_turning(result)) > MOST_LOST:
            found.append(f"{result.part}: {100 * lost:.1f} points lost when the sensor is turned")
    if results.parameters > LARGEST or results.macs > MOST_MACS:
        found.append(f"{results.parameters} parameters and {results.macs} multiplications are too many")
    return found


def verdict(results: Results) -> str:
    """The first line: whether the network reaches what is asked of it."""
    parts = "; ".join(
        f"{r.part}: {score(r, CNN).macro_f1:.3f} against {score(r, FOREST).macro_f1:.3f} of a random forest"
        for r in results.parts
    )
    missing = shortfalls(results)
    if not missing:
        return f"On people it has not seen, the CNN's macro-F1 reaches all that was asked ({parts})."
    return f"**Not all that was asked is reached** ({'; '.join(missing)}). Macro-F1 on people not seen: {parts}."


def markdown(results: Results, images: Sequence[tuple[str, str]]) -> str:
    """The report.

    Args:
        results: what was measured.
        images: file name and caption of each picture, in order.
    """
    parts = [
        "# Activity model: what is done, from acceleration at chest or wrist",
        verdict(results),
        (
            "Everything is scored on people that were left out of training: one by one where a data set has few, in "
            "five groups where it has many. Macro-F1 is the mean over classes of the F1 score, over all windows of "
            "five seconds that do not overlap; ± is the standard deviation over seeds, where several were trained. The "
            "forest (60 trees, 78 time and frequency features) is trained on the data set and placement that it is "
            "scored on, which suits it better than both; one CNN is trained on everything. The network and its "
            "training were chosen among some dozen variants while looking at some of the same people: on others, "
            "expect somewhat less."
        ),
        _scores(results),
        *(f"![{caption}]({name})\n\n*{caption}*" for name, caption in images),
        "## A sensor that is turned, or of another make",
        (
            "Every eighth window, changed as another sensor would have recorded it; the first seed. It is turned by "
            "every 45 degrees about each of its three axes: makes differ in which of them lies along limb or strap."
        ),
        _sensors(results),
        "## Unknown",
        (
            f"Logits are divided by a temperature, fitted to what the networks say of people they have not seen; a "
            f"window whose highest probability is below the threshold is answered `unknown`. The threshold gives up "
            f"{GIVEN_UP:.0%} of such windows, for each placement. The label is given all the same."
        ),
        _unknown(results),
        "## Cadence",
        (
            "Repetitions per minute (steps on foot) against what the two other sensors on the same body say over half "
            "a minute, where the two agree: a spectral reference, not a count. Where neither machine nor track sets "
            "the pace (stairs, jumps, ball sports) nothing is known, and nothing was measured."
        ),
        _cadence(results),
        "## Data",
        "\n".join(f"- {_CREDITS[source]}" for source in results.sources if source in _CREDITS) or "Own recordings.",
        "## Left out",
        "\n".join(f"- {what}" for what in results.left_out) or "Nothing.",
        "## Training",
        "\n".join(f"- {name}: {value}" for name, value in results.environment.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _scores(results: Results) -> str:
    head = ["part", "method", "macro-F1", "mean of people", "worst person", "above the forest, 95 % interval"]
    rows = []
    for result in results.parts:
        for s in result.scores:
            low, high = result.gain_interval
            spread = f" ± {s.spread:.3f}" if s.spread else ""
            rows.append(
                [
                    f"{result.part} ({result.people} people, {result.windows} windows)"
                    if s is result.scores[0]
                    else "",
                    s.method,
                    f"{s.macro_f1:.3f}{spread}",
                    f"{s.mean_person:.3f}",
                    f"{min(s.by_person.values()):.3f}",
                    f"{low:+.3f} to {high:+.3f}" if s.method == CNN else "",
                ]
            )
    size = f"The network has {results.parameters:,} parameters and {results.macs:,} multiplications for a window."
    return f"{table(head, rows, text_columns=2)}\n\n{size}"


def _sensors(results: Results) -> str:
    head = ["sensor", *(f"{r.part}, {method}" for r in results.parts for method in ("CNN", "forest"))]
    rows = [
        [name, *(f"{value:.3f}" for r in results.parts for value in r.disturbed[name])]
        for name in results.parts[0].disturbed
    ]
    worst = [
        "turned by any angle, the worst",
        *(
            f"{min(min(values) for values in rotation.values()):.3f}"
            for r in results.parts
            for rotation in (r.rotation, r.rotation_forest)
        ),
    ]
    return table(head, [*rows, worst])


def _unknown(results: Results) -> str:
    head = ["part", "temperature", "threshold", "unknown", "wrong if nothing were unknown", "wrong among the known",
            "wrong among the unknown", "calibration error", "after"]  # fmt: skip
    rows = []
    for r in results.parts:
        calibration = results.calibration[r.part.partition(", ")[2]]
        rows.append(
            [
                r.part,
                f"{calibration.temperature:.2f}",
                f"{calibration.unknown_below:.2f}",
                f"{1 - r.trust.known_share:.1%}",
                f"{r.trust.wrong_all:.1%}",
                f"{r.trust.wrong_known:.1%}",
                percent(r.trust.wrong_unknown),
                f"{r.trust.error_before:.3f}",
                f"{r.trust.error_after:.3f}",
            ]
        )
    return table(head, rows)


def _cadence(results: Results) -> str:
    if not results.cadence:
        return "No two other sensors were worn at the same time."
    return table(
        ["activity", "sensor", "windows known", "answered", "median error (per min)", "within 3 per min"],
        [
            [
                e.activity.replace("_", " "),
                e.placement,
                str(e.windows),
                percent(e.answered),
                f"{e.median_error_per_min:.1f}",
                percent(e.close),
            ]
            for e in results.cadence
        ],
        text_columns=2,
    )
