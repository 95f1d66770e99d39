"""The model card: what a person should know before they rely on a bundle."""

from __future__ import annotations

from collections.abc import Sequence

from converters.tasks import TASKS
from converters.verify import Comparison
from edge_agent.inference.bundle import Manifest
from training.tables import table


def card(manifest: Manifest, comparisons: Sequence[Comparison], *, limits: Sequence[str], bundle_bytes: int) -> str:
    """The card of a bundle.

    Args:
        manifest: of the bundle.
        comparisons: every form on every runtime against the Keras cell.
        limits: what the model is not good for.
        bundle_bytes: size of the bundle.
    """
    task, cell = TASKS[manifest.task], manifest.cell
    horizons = "/".join(str(h) for h in cell.horizons_s)
    quantiles = "/".join(f"{q:.0%}" for q in cell.quantiles)
    sections = [
        f"# Model card: {manifest.task} {manifest.version}",
        (
            f"Forecasts heart rate at {horizons} s, as the {quantiles} quantiles of the change from now, "
            f"{task.forecasts}. An LSTM of {cell.state_size // 2} units, run one second at a time: "
            f"`x` (1, {len(cell.features)}) and `state` (1, {cell.state_size}) in, `y` (1, {cell.output_size}) and the "
            f"next `state` out. Feature contract `{cell.contract}`, agent {manifest.minimum_agent_version} or "
            f"newer. The bundle is {bundle_bytes / 1000:.0f} kB."
        ),
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in limits),
        "## Data\n\nThe weights were fitted to recordings of these data sets; no sample of them is in the bundle.\n\n"
        + table(
            ["data set", "licence", "source", "people", "hours"],
            [[d.name, d.licence, d.url, str(d.people), f"{d.hours:.1f}"] for d in manifest.data],
            text_columns=3,
        ),
        "## Error\n\nMean absolute error in bpm; every method on the same seconds.\n\n" + _metrics(manifest),
        (
            "## Forms\n\nEach form against the float Keras cell, state carried from the first second to the last of "
            f"{task.compared_on}. Step times are of the machine that converted; they are no promise for a device.\n\n"
        )
        + table(
            ["recipe", "runtime", "kB", "largest error (bpm)", "mean (bpm)", "mean, last tenth (bpm)", "step (µs)"],
            [
                [
                    f"`{c.recipe}`",
                    c.runtime,
                    f"{c.model_bytes / 1000:.0f}",
                    f"{c.max_error_bpm:.2g}",
                    f"{c.mean_error_bpm:.2g}",
                    f"{c.last_error_bpm:.2g}",
                    f"{c.step_us:.1f}",
                ]
                for c in comparisons
            ],
            text_columns=2,
        ),
    ]
    return "\n\n".join(sections) + "\n"


def _metrics(manifest: Manifest) -> str:
    names = list(dict.fromkeys((m.data_set, m.method) for m in manifest.metrics))
    horizons_s = manifest.cell.horizons_s
    errors = {(m.data_set, m.method, m.horizon_s): m.value for m in manifest.metrics}
    rows = [
        [data_set, method, *(f"{errors[data_set, method, h]:.2f}" for h in horizons_s)] for data_set, method in names
    ]
    return table(["data set", "method", *(f"{h} s" for h in horizons_s)], rows, text_columns=2)
