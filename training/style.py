"""How the pictures of the reports look."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

INK = "#22303c"
MUTED = "#8a97a3"
HEART = "#d1495b"
BAND = "#2a7f9e"

_DPI = 110


def apply() -> None:
    """Set the look of every picture that is drawn from here on; no screen is needed."""
    mpl.use("agg")
    plt.rcParams.update(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.titlecolor": INK,
            "axes.titlelocation": "left",
            "axes.titleweight": "bold",
            "axes.grid": True,
            "grid.color": "#e6eaee",
            "axes.axisbelow": True,
            "xtick.color": INK,
            "ytick.color": INK,
            "text.color": INK,
            "legend.frameon": False,
            "figure.constrained_layout.use": True,
        }
    )


def save(figure: Figure, path: Path) -> None:
    """Write a picture and let it go; the same picture has the same bytes."""
    figure.savefig(path, dpi=_DPI, metadata={"Software": None})
    plt.close(figure)
