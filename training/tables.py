"""Markdown tables."""

from __future__ import annotations

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
