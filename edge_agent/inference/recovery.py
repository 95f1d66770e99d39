"""The recovery model on a live session: from an effort's stop on, heart rate one and two minutes after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.forecast import HIGHEST_BPM, LOWEST_BPM, QUANTILES, Quantiles
from edge_agent.inference.runtime import Cell
from edge_agent.signals.frame import Frame
from edge_agent.signals.recovery import CONTRACT, HORIZONS_S, RecoverySecond, RecoveryStream

SHIPPED_BUNDLE = Path(__file__).parent.parent / "models" / "recovery.zip"

# Nobody knows heart rate further ahead: by then the athlete does something else.
LONGEST_S = 600.0

_DECIMALS = 2
# The curve runs towards a little below the lowest heart rate of the session, so that this itself can be reached.
_BELOW_BASELINE_BPM = 2.0


class Recovery(msgspec.Struct, frozen=True):
    """What is known, in one second of a recovery, of how it goes on.

    Attributes:
        stop_t_s: second of the session at which the effort stopped.
        hr60_bpm: heart rate 60 s after the stop; from then on the one measured.
        hr120_bpm: heart rate 120 s after the stop.
        seconds_to_target: from now until heart rate is down at the target, 0 when it is; None without a target, and
            when it is not reached.
        not_reached: heart rate will not be down at the target within `LONGEST_S`.
    """

    stop_t_s: int
    hr60_bpm: Quantiles
    hr120_bpm: Quantiles
    seconds_to_target: float | None
    not_reached: bool


class RecoveryForecaster:
    """Watches a session for the end of an effort and forecasts the two minutes after it."""

    def __init__(self, bundle: Bundle, cell: Cell, *, target_bpm: float | None = None) -> None:
        """Start a session.

        Args:
            bundle: of the recovery model.
            cell: of that bundle.
            target_bpm: heart rate to tell the time until.

        Raises:
            BundleError: the bundle is for another task or another feature contract.
        """
        manifest, interface = bundle.manifest, bundle.manifest.cell
        made = (manifest.task, interface.contract, interface.horizons_s, interface.quantiles)
        if made != ("recovery", CONTRACT, HORIZONS_S, QUANTILES):
            msg = (
                f"the bundle is for task {manifest.task}, contract {interface.contract}, horizons "
                f"{interface.horizons_s} and quantiles {interface.quantiles}, this agent makes recovery, {CONTRACT}, "
                f"{HORIZONS_S} and {QUANTILES}; use a bundle made for this version of heartline"
            )
            raise BundleError(msg)
        self.model_version = manifest.version
        self._target_bpm = target_bpm
        self._cell = cell
        self._stream = RecoveryStream()
        self._start = np.zeros((1, cell.state_size), np.float32)
        self._state = self._start
        self._forecast: dict[int, Quantiles] = {}

    def aim_at(self, target_bpm: float | None) -> None:
        """Tell the time until another heart rate from now on; None tells none."""
        self._target_bpm = target_bpm

    def step(self, frame: Frame) -> Recovery | None:
        """Take in one second; None outside of recoveries, and while heart rate is missing in one."""
        second = self._stream.step(frame)
        if second is None:
            return None
        state = self._start if second.announced else self._state
        change_bpm, self._state = self._cell.step(second.vector[None], state)
        absolute_bpm = second.now_bpm + change_bpm[0].astype(np.float64)
        values = absolute_bpm.clip(LOWEST_BPM, HIGHEST_BPM).round(_DECIMALS).tolist()
        if second.announced:
            self._forecast = {}
        for i, horizon_s in enumerate(HORIZONS_S):
            if second.elapsed_s <= horizon_s or horizon_s not in self._forecast:
                self._forecast[horizon_s] = Quantiles(*values[3 * i : 3 * i + 3])
        seconds = None if self._target_bpm is None else self._seconds_to(self._target_bpm, second)
        hr60_bpm, hr120_bpm = (self._forecast[h] for h in HORIZONS_S)
        return Recovery(
            second.stop.stop_t_s, hr60_bpm, hr120_bpm, seconds, self._target_bpm is not None and seconds is None
        )

    def _seconds_to(self, target_bpm: float, second: RecoverySecond) -> float | None:
        if second.now_bpm <= target_bpm:
            return 0.0
        ahead = [(h - second.elapsed_s, self._forecast[h].q50) for h in HORIZONS_S if h > second.elapsed_s]
        now = (0, second.now_bpm)
        # In the last second nothing is ahead any more: the minute behind tells how it goes on.
        curve = [now, *ahead] if ahead else [(HORIZONS_S[0] - HORIZONS_S[1], self._forecast[HORIZONS_S[0]].q50), now]
        seconds = seconds_to_target(target_bpm, curve, second.baseline_bpm - _BELOW_BASELINE_BPM)
        return None if seconds is None else round(max(seconds, 0.0), 1)


def seconds_to_target(target_bpm: float, curve: Sequence[tuple[float, float]], towards_bpm: float) -> float | None:
    """When a falling heart rate is down at a target.

    Between the points of the curve, and beyond its last, heart rate falls exponentially towards an asymptote, with a
    time constant of its own in each part: t = tau ln((a - towards) / (target - towards)).

    Args:
        target_bpm: heart rate to arrive at.
        curve: seconds from now and heart rate in bpm, two points or more, in time order.
        towards_bpm: the asymptote.

    Returns:
        Seconds from now; None where it is not reached within `LONGEST_S`.
    """
    for (a_s, a_bpm), (b_s, b_bpm) in pairwise(curve):
        last = (b_s, b_bpm) == curve[-1]
        if not (last or b_bpm <= target_bpm):
            continue
        if not a_bpm > b_bpm > towards_bpm or target_bpm <= towards_bpm:
            return None
        tau_s = (b_s - a_s) / math.log((a_bpm - towards_bpm) / (b_bpm - towards_bpm))
        seconds = a_s + tau_s * math.log((a_bpm - towards_bpm) / (target_bpm - towards_bpm))
        return seconds if seconds <= LONGEST_S else None
    return None
