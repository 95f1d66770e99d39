"""Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, text_columns: int = 1) -> str:
    """A table whose first columns are text and the others figures.

    Args:
        head: of each column.
        rows: cells, already as text.
        text_columns: how many columns are aligned to the left.
    """
    rule = ["---"] * text_columns + ["--:"] * (len(head) - text_columns)
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rows))


def figure(value: float) -> str:
    """Two decimals; a dash where nothing could be measured."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def percent(share: float) -> str:
    """A share in whole percent; a dash where nothing could be measured."""
    return "-" if math.isnan(share) else f"{share:.0%}"
