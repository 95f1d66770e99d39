"""The model card: what a person should know before they rely on a bundle."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import msgspec

from converters.choose import RULE
from converters.compare import Comparisons
from converters.pack import Conversion
from converters.recipes import BY_NAME
from converters.tasks import TASKS
from converters.verify import Comparison
from edge_agent.inference.bundle import Manifest, Metric, StreamingCell, WindowClassifier
from training.tables import table


def card(manifest: Manifest, conversion: Conversion, *, bundle_bytes: int) -> str:
    """The card of a bundle.

    Args:
        manifest: of the bundle.
        conversion: that it was made by.
        bundle_bytes: size of the bundle.
    """
    task, comparisons = TASKS[manifest.task], conversion.comparisons
    sections = [
        f"# Model card: {manifest.task} {manifest.version}",
        (
            f"{_interface(manifest)}, {task.forecasts}. Contract `{manifest.interface.contract}`, agent "
            f"{manifest.minimum_agent_version} or newer. The bundle is {bundle_bytes / 1000:.0f} kB."
        ),
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in conversion.trained.limits),
        "## Data\n\nThe weights were fitted to recordings of these data sets; no sample of them is in the bundle.\n\n"
        + table(
            ["data set", "licence", "source", "people", "hours"],
            [[d.name, d.licence, d.url, str(d.people), f"{d.hours:.1f}"] for d in manifest.data],
            text_columns=3,
        ),
        "## Scores\n\n" + "\n\n".join(_metrics(manifest.metrics)),
        "## Forms\n\n" + RULE + "\n\n" + "\n".join(_winners(conversion)),
        fed_with(manifest.task, comparisons) + "\n\n" + comparison_table(comparisons, conversion.failed),
    ]
    return "\n\n".join(sections) + "\n"


def comparison_table(comparisons: Comparisons, failed: Mapping[tuple[str, str], str]) -> str:
    """Every recipe on every runtime: a measurement, or the sentence why there is none.

    Args:
        comparisons: of one model.
        failed: recipe and runtime to the reason a form does not hold.
    """
    measures = comparisons.test_set.measures if comparisons.test_set else ()
    head = ["recipe", "runtime", "outcome", "kB", "operators", *measures, "mean off", "largest off", "SNR (dB)"]
    head += ["same class", "µs", "µs, rounds", "peak MB"]
    made = {(c.recipe, c.runtime): c for c in comparisons.made}
    rows = []
    order = list(BY_NAME)
    for recipe, runtime in sorted([*made, *comparisons.refused], key=lambda at: order.index(at[0])):
        if found := made.get((recipe, runtime)):
            rows.append([f"`{recipe}`", runtime, failed.get((recipe, runtime), "holds"), *_figures(found)])
        else:
            blank = ["-"] * (len(head) - 3)
            rows.append([f"`{recipe}`", runtime, comparisons.refused[recipe, runtime], *blank])
    return table(head, rows, text_columns=3)


def as_json(comparisons: Comparisons, failed: Mapping[tuple[str, str], str]) -> str:
    """The same for programs: a list with an object for each recipe on each runtime.

    An object has `recipe`, `runtime` and either `refused`, the sentence, or the figures; `failed` says why a form does
    not hold, and is null where it does.
    """
    made = [
        {**dataclasses.asdict(c), "refused": None, "failed": failed.get((c.recipe, c.runtime))}
        for c in comparisons.made
    ]
    refused = [
        {"recipe": recipe, "runtime": runtime, "refused": reason}
        for (recipe, runtime), reason in comparisons.refused.items()
    ]
    return msgspec.json.format(msgspec.json.encode([*made, *refused])).decode()


def _figures(c: Comparison) -> list[str]:
    off = c.deviation
    return [
        f"{c.model_bytes / 1000:.0f}",
        str(sum(c.operators.values())),
        *(f"{score:.3f}" for score in c.scores),
        f"{off.mean:.2g}",
        f"{off.largest:.2g}",
        "exact" if math.isinf(off.snr_db) else f"{off.snr_db:.0f}",
        f"{off.agreement:.3f}",
        f"{c.us:.1f}",
        f"{c.us_low:.1f} to {c.us_high:.1f}",
        f"{c.peak_mb:.0f}",
    ]


def _interface(manifest: Manifest) -> str:
    match manifest.interface:
        case StreamingCell() as cell:
            horizons = "/".join(str(h) for h in cell.horizons_s)
            quantiles = "/".join(f"{q:.0%}" for q in cell.quantiles)
            return (
                f"Forecasts heart rate at {horizons} s, as the {quantiles} quantiles of the change from now. An LSTM "
                f"of {cell.state_size // 2} units, run one second at a time: `x` (1, {len(cell.features)}) and `state` "
                f"(1, {cell.state_size}) in, `y` (1, {cell.output_size}) and the next `state` out"
            )
        case WindowClassifier() as window:
            return (
                f"Says which of {len(window.labels)} classes ({', '.join(window.labels)}) a window of "
                f"{window.samples / window.sample_rate_hz:g} s is: (1, {window.samples}, {len(window.channels)}) at "
                f"{window.sample_rate_hz:g} Hz in, one logit per class out; placements: {', '.join(window.calibration)}"
            )


def _metrics(metrics: Sequence[Metric]) -> list[str]:
    """A table for each measure; horizons, where there are some, are its columns."""
    tables = []
    for measure in dict.fromkeys(m.measure for m in metrics):
        own = [m for m in metrics if m.measure == measure]
        horizons = list(dict.fromkeys(m.horizon_s for m in own))
        by_key = {(m.data_set, m.method, m.horizon_s): _value(m) for m in own}
        rows = [
            [data_set, method, *(by_key.get((data_set, method, h), "-") for h in horizons)]
            for data_set, method in dict.fromkeys((m.data_set, m.method) for m in own)
        ]
        columns = [measure if h is None else f"{h} s" for h in horizons]
        named = {"mae_bpm": "Mean absolute error in bpm"}.get(measure, f"`{measure}`")
        tables.append(
            f"{named}; every method on the same data.\n\n"
            + table(["data set", "method", *columns], rows, text_columns=2)
        )
    return tables


def _value(metric: Metric) -> str:
    digits = 2 if metric.measure.endswith("_bpm") else 3
    if metric.interval is None:
        return f"{metric.value:.{digits}f}"
    low, high = metric.interval
    return f"{metric.value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _winners(conversion: Conversion) -> list[str]:
    return [
        f"- {w.comparison.runtime} ({w.comparison.versions}): `{w.comparison.recipe}`, {w.why}."
        for w in conversion.winners
    ]


def fed_with(task: str, comparisons: Comparisons) -> str:
    """What the forms of a model were compared on, in words."""
    scored = comparisons.test_set
    on = f"{scored.name}; the float model scores " if scored else TASKS[task].compared_on
    if scored:
        on += ", ".join(
            f"{value:.3f} ({measure})" for measure, value in zip(scored.measures, comparisons.float_scores, strict=True)
        )
    return (
        f"Deviations from the float Keras model are in the unit of the outputs, over {on}. Times are of one answer, "
        "tensors in and out included, median of nine rounds, on the machine that converted; they are no promise for a "
        "device. Peak memory is of the whole process, interpreter and numpy included."
    )
