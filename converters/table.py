"""Every recipe, model and runtime in one table: `edge-convert table`, which writes `docs/models/conversion.md`."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence

from converters.card import comparison_table, fed_with
from converters.choose import RULE
from converters.pack import Conversion
from converters.recipes import RECIPES
from training.tables import table


def page(conversions: Sequence[Conversion]) -> str:
    """The page on conversion.

    Args:
        conversions: of every model, by every recipe, scored on recordings.
    """
    recipes = table(
        ["recipe", "what it does", "models", "runtimes"],
        [[f"`{r.name}`", (r.apply.__doc__ or "").partition("\n")[0], r.serves, r.meant_for] for r in RECIPES],
        text_columns=4,
    )
    sections = [
        "# Conversion",
        (
            "Written by `make bundles`, which converts each trained model in `models/` by every recipe, runs each "
            "result on both runtimes in an environment of its own, and packs the bundles in `edge_agent/models/`. "
            f"{platform.system()} {platform.machine()}, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} "
            "cores at the end."
        ),
        "## Recipes\n\n" + recipes,
        "## Rule\n\n" + RULE,
    ]
    for conversion in conversions:
        trained = conversion.trained
        winners = "\n".join(
            f"- {w.comparison.runtime} ({w.comparison.versions}): `{w.comparison.recipe}`, {w.why}."
            for w in conversion.winners
        )
        sections += [
            f"## {trained.task} {trained.version}",
            fed_with(trained.task, conversion.comparisons),
            comparison_table(conversion.comparisons, conversion.failed),
            winners,
        ]
    return "\n\n".join(sections) + "\n"
