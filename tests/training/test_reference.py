"""The reference that the mixture is compared with is recursive least squares, done right."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_agent.inference.bundle import read_bundle
from edge_agent.inference.choice import open_cell
from edge_agent.inference.forecast import SHIPPED_BUNDLE, WorkoutForecaster
from edge_agent.recordings.recording import Recording
from training.athletes import forecast
from training.dataset import make_session
from training.reference import HIDDEN, LAGS, Reference, ReferenceAthlete


def test_it_is_ridge_regression_on_what_it_was_taught() -> None:
    random = np.random.default_rng(1)
    athlete = ReferenceAthlete(LAGS)
    x, change_bpm = random.normal(size=(300, 5)), random.normal(size=(300, 3))
    athlete.predict(x[0])
    for row, outcome in zip(x, change_bpm, strict=True):
        athlete.learn(row, outcome)
    ridge = np.linalg.solve(x.T @ x + 100 * np.eye(5), x.T @ change_bpm)
    assert athlete.predict(x[7]) == pytest.approx(x[7] @ ridge)


def test_it_starts_half_way_to_the_last_value_and_goes_where_the_error_is_less() -> None:
    athlete = ReferenceAthlete(LAGS)
    said_bpm = np.array([4.0, 4.0, 4.0])
    assert athlete.mixed(said_bpm).tolist() == [2.0, 2.0, 2.0]
    for _ in range(300):
        athlete.compare(1, 4.0, 0.0)
    assert athlete.mixed(said_bpm) == pytest.approx([2.0, 0.0, 2.0], abs=0.1)


@pytest.mark.parametrize("name", [LAGS, HIDDEN])
def test_it_learns_an_athlete_and_gives_no_intervals(name: str, recordings: list[Recording]) -> None:
    bundle = read_bundle(SHIPPED_BUNDLE)
    cell, athlete = open_cell(bundle), ReferenceAthlete(name)
    errors = []
    for recording in recordings[:5]:
        session = make_session(recording)
        made, _ = forecast(Reference(WorkoutForecaster(bundle, cell), athlete), session)
        medians = made[:, 1::3]
        errors.append(np.nanmean(np.abs(session.change_bpm - medians)) / np.nanmean(np.abs(session.change_bpm)))
        assert all(math.isnan(v) for v in made[:, ::3].ravel())
    assert errors[-1] < errors[0]
    assert errors[-1] < 0.9
