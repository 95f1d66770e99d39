"""Compares each form of a model with the float model it was made of: what it answers, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class TestSet:
    """Recordings that a model is scored on.

    Attributes:
        name: of the set, with its size.
        sequences: inputs, float32 (inputs, *input shape) each, from zero state.
        measures: what is scored, with its unit.
        score: one figure for each measure, from the answers to the sequences.
    """

    name: str
    sequences: Sequence[Array]
    measures: tuple[str, ...]
    score: Callable[[Sequence[Array]], list[float]]


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far the answers of a form are from the float model's, in the unit of the outputs.

    Attributes:
        largest: of any output.
        mean: over all outputs.
        last_mean: mean in the last tenth of the longest sequence, where carried errors would have piled up.
        snr_db: signal-to-noise ratio: power of the float answers over that of the deviation, in decibel.
        agreement: share of answers whose largest output is the same one.
    """

    largest: float
    mean: float
    last_mean: float
    snr_db: float
    agreement: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One form of the model on one runtime.

    Attributes:
        recipe: of the form.
        runtime: distribution it ran on.
        versions: of the runtime and of what was beside it, in words.
        model_bytes: size of the TFLite model.
        operators: how many operators it has, by name.
        golden: deviation over the long made-up sequence that every conversion has.
        test: deviation over the test set, where there is one.
        scores: on the test set, one for each measure; empty without one.
        us: microseconds of one answer: the median of several rounds.
        us_low: of the fastest round.
        us_high: of the slowest round.
        peak_mb: peak memory of the whole process.
    """

    recipe: str
    runtime: str
    versions: str
    model_bytes: int
    operators: dict[str, int]
    golden: Deviation
    test: Deviation | None
    scores: tuple[float, ...]
    us: float
    us_low: float
    us_high: float
    peak_mb: float

    @property
    def deviation(self) -> Deviation:
        """The one that counts: on the test set where there is one."""
        return self.test or self.golden


def deviation(answers: Sequence[Array], expected: Sequence[Array]) -> Deviation:
    """Compare answers with the float model's.

    Args:
        answers: of a form, float32 (inputs, outputs) for each sequence.
        expected: of the float model, to the same sequences.
    """
    off = [np.abs(a.astype(np.float64) - e) for a, e in zip(answers, expected, strict=True)]
    everything, signal = np.concatenate(off), np.concatenate(expected).astype(np.float64)
    longest = max(off, key=len)
    noise = float(np.square(everything).mean())
    same = [(a.argmax(axis=1) == e.argmax(axis=1)) for a, e in zip(answers, expected, strict=True)]
    return Deviation(
        largest=float(everything.max()),
        mean=float(everything.mean()),
        last_mean=float(longest[-max(len(longest) // 10, 1) :].mean()),
        snr_db=10 * math.log10(float(np.square(signal).mean()) / noise) if noise else math.inf,
        agreement=float(np.concatenate(same).mean()),
    )
