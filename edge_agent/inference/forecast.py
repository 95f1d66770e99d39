"""The workout model on a live session: each second a forecast of the next minute's heart rate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.runtime import Cell
from edge_agent.signals.features import CONTRACT, FeatureStream
from edge_agent.signals.frame import Frame

SHIPPED_BUNDLE = Path(__file__).parent.parent / "models" / "workout.zip"

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


class WorkoutForecaster:
    """Carries the LSTM's state through a session."""

    def __init__(self, bundle: Bundle, cell: Cell) -> None:
        """Start a session.

        Raises:
            BundleError: the bundle is for another task or another feature contract.
        """
        manifest = bundle.manifest
        if (manifest.task, manifest.contract, manifest.quantiles) != ("workout", CONTRACT, QUANTILES):
            msg = (
                f"the bundle is for task {manifest.task}, contract {manifest.contract} and quantiles "
                f"{manifest.quantiles}, this agent makes workout, {CONTRACT} and {QUANTILES}; "
                "use a bundle made for this version of heartline"
            )
            raise BundleError(msg)
        self.horizons_s = manifest.horizons_s
        self.model_version = manifest.version
        self._cell = cell
        self._features = FeatureStream()
        self._start = np.zeros((1, cell.state_size), np.float32)
        self._state = self._start

    def step(self, frame: Frame) -> Forecast:
        """Take in one second and forecast from it; every horizon is None while there is no heart rate to start from."""
        features = self._features.push(frame)
        state = self._start if features.restarted else self._state
        change_bpm, self._state = self._cell.step(features.vector[None], state)
        if features.anchor_bpm is None:
            return dict.fromkeys(self.horizons_s)
        absolute_bpm = features.anchor_bpm + change_bpm[0].astype(np.float64)
        values = absolute_bpm.clip(LOWEST_BPM, HIGHEST_BPM).round(_DECIMALS).tolist()
        return {h: Quantiles(*values[3 * i : 3 * i + 3]) for i, h in enumerate(self.horizons_s)}
