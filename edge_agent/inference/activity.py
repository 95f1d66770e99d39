"""What a person does, from acceleration: samples in, one answer per window of five seconds out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import Calibration, WindowClassifier
from edge_agent.signals.acceleration import CHANNELS, CONTRACT, RATE_HZ, WINDOW_S, WINDOW_SAMPLES, Resampler, view
from edge_agent.signals.cadence import cadence_per_min

SHIPPED_BUNDLE = Path(str(files("edge_agent.models") / "activity.zip"))

# Of the smoother: an activity lasts two minutes in the mean, 24 windows; only its length matters, and little.
_STAYS = 1 - WINDOW_S / 120
_NEVER_RULED_OUT = 1e-3  # probability that one window alone leaves to any activity

Probabilities = NDArray[np.float64]
Classify = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class Activity(msgspec.Struct, frozen=True):
    """What a window was recognised as.

    Attributes:
        label: the most probable activity, also where it is not sure enough.
        probability: of it, calibrated.
        unknown: whether that is too little to go by, or what was done is none of the known activities.
    """

    label: str
    probability: float
    unknown: bool


class ActivityWindow(msgspec.Struct, frozen=True):
    """The answer to one window.

    Attributes:
        t_s: time at which the window begins; it is five seconds long.
        activity: what was done.
        cadence_per_min: repetitions per minute (steps, strokes, turns of the cranks, jumps); None where nothing does.
    """

    t_s: float
    activity: Activity
    cadence_per_min: float | None


class CurrentActivity(msgspec.Struct, frozen=True):
    """What is done by the end of a window, smoothed over it and those before it.

    Attributes:
        label: the activity.
        probability: that the window alone gives to it, calibrated.
        unknown: whether the window alone is too little to go by, or none of the known activities.
        cadence_per_min: repetitions per minute in the window; None where nothing repeats.
    """

    label: str
    probability: float
    unknown: bool
    cadence_per_min: float | None


@dataclass(frozen=True, slots=True)
class Recognition:
    """What is known once a window is complete.

    Attributes:
        window: the answer to it, from it alone.
        doing: what is done by then, from it and those before it.
    """

    window: ActivityWindow
    doing: CurrentActivity


def probabilities(logits: NDArray[np.float32], calibration: Calibration) -> Probabilities:
    """Calibrated probabilities from logits, both (..., labels)."""
    scaled = logits.astype(np.float64) / calibration.temperature
    power = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(power / power.sum(axis=-1, keepdims=True))


class ActivityRecogniser:
    """Recognises activities on one sensor as its samples come."""

    def __init__(
        self, model: WindowClassifier, classify: Classify, *, placement: str, rate_hz: float, start_s: float = 0.0
    ) -> None:
        """Begin a recording.

        Args:
            model: interface of the classifier.
            classify: runs it: float32 (1, samples, channels) to logits, float32 (1, labels).
            placement: where the sensor is worn, `chest` or `wrist`.
            rate_hz: of the samples to come, `MIN_RATE_HZ` to `MAX_RATE_HZ`.
            start_s: time of the first sample.

        Raises:
            BundleError: the model was made for another contract, or not for this placement.
        """
        if (model.contract, model.channels) != (CONTRACT, CHANNELS):
            msg = f"the activity model takes windows {model.contract}, this agent makes {CONTRACT}; upgrade heartline"
            raise BundleError(msg)
        if placement not in model.calibration:
            msg = f"the activity model does not serve the {placement}, only: {', '.join(model.calibration)}"
            raise BundleError(msg)
        self._labels = model.labels
        self._calibration = model.calibration[placement]
        self._classify = classify
        self._placement = placement
        self._resampler = Resampler(rate_hz)
        self._waiting = np.empty((0, 3), np.float32)
        self._next_s = start_s
        self._smoother = Smoother(len(model.labels))

    def push(self, acceleration_mps2: NDArray[np.float32]) -> list[Recognition]:
        """Take in samples, float32 (samples, 3), and answer the windows that they complete."""
        return self._answer(self._resampler.push(acceleration_mps2))

    def finish(self) -> list[Recognition]:
        """No more samples: answer the windows that were waiting for the filter; what is left over is no window."""
        return self._answer(self._resampler.finish())

    def _answer(self, resampled: NDArray[np.float32]) -> list[Recognition]:
        self._waiting = np.concatenate([self._waiting, resampled])
        answers = []
        while len(self._waiting) >= WINDOW_SAMPLES:
            answers.append(self._window(self._waiting[:WINDOW_SAMPLES]))
            self._waiting = self._waiting[WINDOW_SAMPLES:]
            self._next_s += WINDOW_SAMPLES / RATE_HZ
        return answers

    def _window(self, window_mps2: NDArray[np.float32]) -> Recognition:
        logits = self._classify(view(window_mps2[None], np.array([self._placement])))[0]
        likely = probabilities(logits, self._calibration)
        best = int(likely.argmax())
        label, probability = self._labels[best], float(likely[best])
        unknown = probability < self._calibration.unknown_below
        found = cadence_per_min(window_mps2, label)
        cadence = None if found is None else round(found, 1)
        now = int(self._smoother.step(likely).argmax())
        return Recognition(
            ActivityWindow(round(self._next_s, 3), Activity(label, round(probability, 4), unknown), cadence),
            CurrentActivity(self._labels[now], round(float(likely[now]), 4), unknown, cadence),
        )


class Smoother:
    """Follows an activity over windows: a hidden Markov model in which an activity is more likely to go on than not.

    It looks back only, so it works on a device; a change shows a window or two later.
    """

    def __init__(self, labels: int) -> None:
        """Begin a recording with nothing known, for so many labels."""
        self._belief = np.full(labels, 1 / labels)

    def step(self, likely: Probabilities) -> Probabilities:
        """Take in the probabilities of the next window, and give those of what is done by then, both (labels,)."""
        labels = len(self._belief)
        expected = _STAYS * self._belief + (1 - _STAYS) / (labels - 1) * (1 - self._belief)
        belief = expected * np.maximum(likely, _NEVER_RULED_OUT)
        self._belief = belief / belief.sum()
        return self._belief
