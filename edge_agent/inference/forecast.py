"""The workout model on a live session: each second its view of the next minute's heart rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.runtime import Cell
from edge_agent.signals.features import CONTRACT, GROUPS, FeatureStream
from edge_agent.signals.frame import Frame

SHIPPED_BUNDLE = Path(__file__).parent.parent / "models" / "workout.zip"

HORIZONS_S = (10, 30, 60)
QUANTILES = (0.1, 0.5, 0.9)

# What a heart can do and a strap can say; a forecast is kept inside it.
LOWEST_BPM = 25.0
HIGHEST_BPM = 250.0

# Far finer than what any model knows of a heart, and short in the journal and on the wire.
_DECIMALS = 2


class Quantiles(msgspec.Struct, frozen=True):
    """A forecast heart rate in bpm: as likely above `q50` as below it, four times in five between `q10` and `q90`."""

    q10: float
    q50: float
    q90: float


# Seconds ahead to the forecast; None where there is none yet.
Forecast = Mapping[int, Quantiles | None]

NO_FORECAST: Forecast = dict.fromkeys(HORIZONS_S)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What the model makes of one second.

    Attributes:
        features: float32 (features,).
        change_bpm: quantiles of the change from now, float64 (horizons, 3).
        hidden: the LSTM's hidden state after this second, float32 (units,).
    """

    features: NDArray[np.float32]
    change_bpm: NDArray[np.float64]
    hidden: NDArray[np.float32]


class WorkoutForecaster:
    """Carries the LSTM's state through a session."""

    def __init__(self, bundle: Bundle, cell: Cell) -> None:
        """Start a session.

        Raises:
            BundleError: the bundle is for another task, feature contract, horizons or quantiles.
        """
        interface = bundle.manifest.cell
        found = (bundle.manifest.task, interface.contract, interface.horizons_s, interface.quantiles)
        expected = ("workout", CONTRACT, HORIZONS_S, QUANTILES)
        if found != expected:
            msg = f"the bundle is for {found}, this agent makes {expected}; use one made for this version of heartline"
            raise BundleError(msg)
        self._cell = cell
        self._stream = FeatureStream()
        self._start = np.zeros((1, cell.state_size), np.float32)
        self._state = self._before = self._start
        self._vector = np.zeros(len(interface.features), np.float32)

    def observe(self, frame: Frame) -> tuple[View, float | None, bool]:
        """Take in one second.

        Returns:
            What the model makes of it; the heart rate in bpm that the change is counted from, None while there is none;
            and whether the session, or what is remembered of it, began with this second.
        """
        features = self._stream.push(frame)
        self._vector = features.vector
        self._before = self._start if features.restarted else self._state
        view, self._state = self._look(self._vector)
        return view, features.anchor_bpm, features.restarted

    def without(self, group: str) -> View | None:
        """What the model would have made of the last second without one of its inputs; None where it had none anyway.

        Args:
            group: one of `edge_agent.signals.features.GROUPS`.
        """
        columns = GROUPS[group]
        if not self._vector[columns].any():
            return None
        vector = self._vector.copy()
        vector[columns] = 0.0
        return self._look(vector)[0]

    def step(self, frame: Frame) -> Forecast:
        """Take in one second and forecast as the model alone does."""
        view, anchor_bpm, _ = self.observe(frame)
        return NO_FORECAST if anchor_bpm is None else as_forecast(anchor_bpm, view.change_bpm)

    def _look(self, vector: NDArray[np.float32]) -> tuple[View, NDArray[np.float32]]:
        y, state = self._cell.step(vector[None], self._before)
        change_bpm = y[0].astype(np.float64).reshape(len(HORIZONS_S), len(QUANTILES))
        return View(vector, change_bpm, state[0, : self._cell.state_size // 2]), state


def as_forecast(anchor_bpm: float, change_bpm: NDArray[np.float64]) -> Forecast:
    """Heart rates from quantiles of the change, (horizons, 3)."""
    values = np.minimum(np.maximum(anchor_bpm + change_bpm, LOWEST_BPM), HIGHEST_BPM).round(_DECIMALS).tolist()
    return {h: Quantiles(*row) for h, row in zip(HORIZONS_S, values, strict=True)}
