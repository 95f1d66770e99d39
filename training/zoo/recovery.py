"""Heart rate 60 and 120 s after an effort stops, from the half minute after the stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.recovery import FALL_SCALE_BPM, FEATURE_NAMES, HORIZONS_S
from training.recovery.baselines import Baseline, FallRidge, Persistence, SharedTau, changes_bpm
from training.recovery.dataset import ORIGIN_S
from training.recovery.fit import Settings
from training.recovery.run import gather
from training.zoo.problem import AbsoluteError, Fold, Problem
from training.zoo.views import SEQUENCE, SPECTROGRAM, TEN_BY_TEN, spectrogram, ten_steps

# Simulated people, as many as the shipped model is trained on.
ATHLETES = 1500

_STEPS = 300

_VALIDATES = 6  # one simulated recovery in six
_TEN = (
    "excess",
    "rise_at_stop",
    "drop_since_stop",
    "change_10s",
    "change_20s",
    "change_before_stop",
    "effort_length",
    "load_since_stop",
    "fall_60",
    "fall_120",
)
_FALLS = [FEATURE_NAMES.index(f"fall_{h}") for h in HORIZONS_S]


def make(folder: Path) -> Problem:
    """The task on the recordings of a folder.

    Raises:
        TrainingError: there are no two people with an effort and two minutes after it.
    """
    found = gather(folder, Settings(athletes=ATHLETES))
    simulated = found.simulated + found.held_out
    recovered = simulated + found.scored
    of_simulated = np.arange(len(simulated))
    validates = of_simulated % _VALIDATES == 0
    fold = Fold(
        of_simulated[~validates], of_simulated[validates], np.arange(len(simulated), len(simulated) + len(found.scored))
    )
    sequence = np.stack([r.x[:ORIGIN_S] for r in recovered])
    scale_bpm = np.array(FALL_SCALE_BPM)
    first_order = sequence[:, -1, _FALLS]
    target = changes_bpm(recovered) / scale_bpm - first_order
    ten = sequence[..., [FEATURE_NAMES.index(name) for name in _TEN]]

    def answers_of(baseline: Baseline) -> NDArray[np.float32]:
        baseline.fit(simulated)
        return np.asarray(
            baseline.predict(found.scored) / scale_bpm - first_order[fold.scored],
            np.float32,
        )

    return Problem(
        task="recovery",
        title="heart rate 60 and 120 s after the stop, forecast half a minute after it",
        inputs={
            SEQUENCE: sequence,
            TEN_BY_TEN: np.stack([stretch.mean(axis=1) for stretch in ten_steps(ten)], axis=1),
            SPECTROGRAM: spectrogram(sequence[..., FEATURE_NAMES.index("excess")]),
        },
        target=target.astype(np.float32),
        person=np.array([r.recording.person for r in recovered]),
        folds=[fold],
        measure=AbsoluteError(HORIZONS_S, FALL_SCALE_BPM),
        baselines={
            baseline.name: lambda _, baseline=baseline: answers_of(baseline)  # type: ignore[misc]
            for baseline in (Persistence(), SharedTau(), FallRidge())
        },
        steps=_STEPS,
        windows={
            "window": f"the {ORIGIN_S} s after the stop in the {len(FEATURE_NAMES)} features of the feature contract; "
            "seconds before the stop was announced are zero",
            "people": f"trained on {len(simulated)} recoveries of {ATHLETES} simulated people, every sixth of them "
            "validates; scored on recorded people, of whom nothing is trained on",
            "target": "what the first-order fall in the features leaves of the change, trained for its absolute error",
            TEN_BY_TEN: f"{', '.join(_TEN)}, each step the mean of 3 s",
            SPECTROGRAM: "of heart rate above the lowest of the session",
        },
    )
