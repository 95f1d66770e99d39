"""Whether fine-tuning helped, in one table and one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.dataset import HISTORY_S, HORIZONS_S
from training.tables import table

PERSISTENCE = "persistence"
SHIPPED = "shipped model"
TUNED = "fine-tuned model"

# Two seeds of the same fine-tuning to 20 outdoor runs came out up to 1 % of the error apart.
_MARGIN = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """Errors on the last sessions, all methods on the same origins.

    Attributes:
        trained: sessions that were learned from.
        validated: sessions that chose when to stop.
        scored: last sessions, which the fine-tuned model has not learned from.
        better: how many of them the fine-tuned model did better in.
        origins: scored, by horizon.
        mae_bpm: method to its mean absolute error in bpm by horizon.
        known_before: data sets among the recordings that the shipped model was trained on.
    """

    trained: int
    validated: int
    scored: int
    better: int
    origins: list[int]
    mae_bpm: Mapping[str, list[float]]
    known_before: Sequence[str] = ()

    @property
    def change(self) -> float:
        """Error relative to the shipped model's, less 1, mean over the horizons."""
        return self._relative_to(SHIPPED) - 1

    @property
    def beats_persistence(self) -> bool:
        """Whether it is better than the last value, in the mean over the horizons."""
        return self._relative_to(PERSISTENCE) < 1

    def _relative_to(self, other: str) -> float:
        return float(np.mean(np.array(self.mae_bpm[TUNED]) / np.array(self.mae_bpm[other])))


def sentence(outcome: Outcome) -> str:
    """The verdict."""
    change = f"{abs(outcome.change):.1%} {'lower' if outcome.change < 0 else 'higher'}"
    measured = (
        f"on {_last(outcome)} its error is {change} than the shipped model's in the mean over the horizons, and lower "
        f"in {outcome.better} of {outcome.scored}"
    )
    if outcome.change > -_MARGIN:
        reason = f"less than {_MARGIN:.0%} is within chance" if outcome.change < 0 else ""
    elif 2 * outcome.better <= outcome.scored:
        reason = "a few sessions alone make the difference"
    elif not outcome.beats_persistence:
        reason = "the last value is still the better forecast"
    else:
        return f"It helped: {measured}."
    return f"It did not help: {'; '.join(filter(None, (measured, reason)))}. Keep the shipped model."


def _last(outcome: Outcome) -> str:
    return "the last session" if outcome.scored == 1 else f"the last {outcome.scored} sessions"


def markdown(outcome: Outcome) -> str:
    """The table with what it counts, and the verdict below it."""
    ahead = [f"{horizon_s} s" for horizon_s in HORIZONS_S]
    flattered = (
        f" The shipped model was trained on {', '.join(outcome.known_before)}: its figures here are better than "
        "they are on recordings it has not seen."
        if outcome.known_before
        else ""
    )
    rows = [[name, *(f"{mae:.2f}" for mae in errors)] for name, errors in outcome.mae_bpm.items()]
    return (
        f"{outcome.trained} sessions to learn from, {outcome.validated} after them to choose when to stop, and "
        f"{_last(outcome)} to score.\n\n"
        f"Mean absolute error in bpm on {_last(outcome)}, "
        f"{'/'.join(map(str, outcome.origins))} origins at {'/'.join(ahead)}, each with {HISTORY_S} s of heart rate "
        f"behind it.{flattered}\n\n{table(['method', *ahead], rows)}\n\n{sentence(outcome)}"
    )
