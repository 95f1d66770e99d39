"""Sessions as other people with other sensors would have recorded them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings.recording import Recording
from edge_agent.signals.features import GROUPS

# A sensor, and the groups of features that go when it goes.
_SENSORS = {
    "speed": ("speed", "grade"),
    "altitude": ("climb", "grade"),
    "cadence": ("cadence",),
    "power": ("power",),
}
# A sensor's level says which person and which device it is; climb and grade have a true zero.
_LEVELS_VARY = ("heart_rate", "speed", "cadence", "power")

_ALL_GO = 0.5  # a strap alone is the most frequent set of sensors
_ONE_GOES = 0.4

# A gap every five minutes, 8 s long in the mean: some are longer than what the features bridge.
_INTERRUPTED_EVERY_S = 300
_INTERRUPTED_S = 8.0


def vary_person(
    x: NDArray[np.float32], change_bpm: NDArray[np.float32], spread: float, random: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Scale how heart rate and each load move, and shift where they lie.

    All features but the masks and the age of the session are linear in their input, so a person whose heart rate
    answers 20 % more strongly is a factor on them and on the target.

    Args:
        x: features, (seconds, features).
        change_bpm: targets, (seconds, horizons).
        spread: standard deviation of the logarithm of the factors, and of the shifts in units of the features.
        random: where the variation comes from.

    Returns:
        Varied copies of the features and the targets.
    """
    x = x.copy()
    reaction = float(np.exp(spread * random.standard_normal()))
    for group, columns in GROUPS.items():
        present = x[:, columns.start] > 0
        factor = reaction if group == "heart_rate" else np.exp(spread * random.standard_normal())
        end = columns.stop - (2 if group == "heart_rate" else 0)  # the two ages stay
        x[:, columns.start + 1 : end] *= np.float32(factor)
        if group in _LEVELS_VARY:
            x[:, columns.start + 1] += np.float32(spread * random.standard_normal()) * present
    return x, change_bpm * np.float32(reaction)


def drop_sensors(x: NDArray[np.float32], share: float, random: np.random.Generator) -> None:
    """Take sensors away, in place, from some of the sessions that lie side by side.

    Args:
        x: features, (seconds, sessions, features).
        share: of the sessions that lose something: one half of them every load, the other half some.
        random: where the choice comes from.
    """
    for column in range(x.shape[1]):
        if random.random() < share:
            chance = 1.0 if random.random() < _ALL_GO else _ONE_GOES
            for groups in _SENSORS.values():
                if random.random() < chance:
                    for group in groups:
                        x[:, column, GROUPS[group]] = 0.0


def interrupt(recording: Recording, random: np.random.Generator) -> Recording:
    """The recording as a strap with poor contact would have made it: now and then heart rate is missing."""
    heart_rate_bpm = recording.channels["heart_rate_bpm"].copy()
    for _ in range(1 + recording.duration_s // _INTERRUPTED_EVERY_S):
        start = int(random.integers(recording.duration_s))
        heart_rate_bpm[start : start + 1 + int(random.exponential(_INTERRUPTED_S))] = np.nan
    return dataclasses.replace(recording, channels={**recording.channels, "heart_rate_bpm": heart_rate_bpm})
