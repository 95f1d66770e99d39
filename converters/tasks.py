"""What each task's model is fed with, and how its card begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals import features, recovery
from training.golden import golden_frames
from training.recovery.golden import golden_vectors


@dataclass(frozen=True, slots=True)
class Task:
    """A task that an agent of this version runs.

    Attributes:
        contract: name of its feature contract.
        features: names of its features, in order.
        sequence: so many seconds of made-up input, float32 (seconds, features).
        forecasts: what its model does, for the card.
        compared_on: what `sequence` is, for the card.
    """

    contract: str
    features: tuple[str, ...]
    sequence: Callable[[int], NDArray[np.float32]]
    forecasts: str
    compared_on: str


def _workout(seconds: int) -> NDArray[np.float32]:
    return features.feature_matrix(golden_frames(seconds))[0]


TASKS = {
    "workout": Task(
        features.CONTRACT,
        features.FEATURE_NAMES,
        _workout,
        "once a second, from heart rate and whatever of speed, altitude, cadence and power is there",
        "a made-up two-hour session in which every sensor goes missing in turn",
    ),
    "recovery": Task(
        recovery.CONTRACT,
        recovery.FEATURE_NAMES,
        golden_vectors,
        "after the stop of an effort, once a second from there on, from heart rate and load where there is one",
        "two hours of simulated people's recoveries",
    ),
}
