from __future__ import annotations

import keras
import numpy as np

from edge_agent.inference.forecast import WorkoutForecaster
from edge_agent.recordings.recording import Recording
from edge_agent.signals.features import FEATURE_NAMES
from training.athletes import forecast
from training.dataset import make_session
from training.workout.fit import Judge
from training.workout.in_memory import in_memory
from training.workout.model import build_cell


def test_a_cell_played_as_on_a_device_says_what_it_says_in_training(recordings: list[Recording]) -> None:
    keras.utils.set_random_seed(5)
    cell = build_cell(len(FEATURE_NAMES), 6)
    session = make_session(recordings[0])
    (expected,) = Judge([session]).predict(cell)
    made, _ = forecast(WorkoutForecaster(*in_memory(cell)), session)
    np.testing.assert_allclose(made, expected, atol=0.01)  # a forecast has two decimals
