"""The forecast for one athlete: learned from the athlete's own outcomes, never far behind the last value."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.inference.adaptive import AthleteForecaster
from edge_agent.inference.athlete import EXPERTS, AthleteState, new_athlete
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.forecast import HORIZONS_S, Forecast, WorkoutForecaster
from edge_agent.inference.runtime import Cell
from edge_agent.signals.frame import Frame


def intervals(seconds: int, *, lag_s: float = 25.0, gain_bpm: float = 40.0) -> list[Frame]:
    """Two minutes fast, two minutes slow, heart rate following speed."""
    frames, now_bpm = [], 110.0
    for t in range(seconds):
        fast = t % 240 < 120
        now_bpm += ((150 if fast else 150 - gain_bpm) - now_bpm) / lag_s
        frames.append(Frame(t, float(round(now_bpm)), speed_mps=4.0 if fast else 2.0))
    return frames


def play(bundle: Bundle, cell: Cell, frames: Sequence[Frame], athlete: AthleteState | None = None) -> list[Forecast]:
    forecaster = AthleteForecaster(WorkoutForecaster(bundle, cell), athlete or new_athlete(bundle.manifest))
    return [forecaster.step(frame) for frame in frames]


def error_bpm(frames: Sequence[Frame], forecasts: Sequence[Forecast], horizon_s: int, start_s: int = 60) -> float:
    return float(
        np.mean(
            [
                abs(quantiles.q50 - (frames[t + horizon_s].heart_rate_bpm or math.nan))
                for t, forecast in enumerate(forecasts[:-horizon_s])
                if t >= start_s and (quantiles := forecast[horizon_s]) is not None
            ]
        )
    )


def persistence_bpm(frames: Sequence[Frame], horizon_s: int, start_s: int = 60) -> float:
    rates = [frame.heart_rate_bpm or math.nan for frame in frames]
    return float(np.mean([abs(rates[t] - rates[t + horizon_s]) for t in range(start_s, len(rates) - horizon_s)]))


def test_learns_an_athlete_from_session_to_session(bundle: Bundle, cell: Cell) -> None:
    athlete = new_athlete(bundle.manifest)
    frames = intervals(1800)
    first = error_bpm(frames, play(bundle, cell, frames, athlete), 30)
    for _ in range(3):
        play(bundle, cell, frames, athlete)
    later = error_bpm(frames, play(bundle, cell, frames, athlete), 30)
    assert later < 0.8 * first
    assert later < 0.5 * persistence_bpm(frames, 30)


@pytest.mark.parametrize("horizon_s", HORIZONS_S)
def test_on_a_heart_that_follows_nothing_it_is_as_good_as_the_last_value(
    bundle: Bundle, cell: Cell, horizon_s: int
) -> None:
    random = np.random.default_rng(5)
    walk = 140 + np.cumsum(random.normal(scale=0.7, size=3600))
    frames = [Frame(t, float(bpm)) for t, bpm in enumerate(walk.clip(60, 200))]
    assert error_bpm(frames, play(bundle, cell, frames), horizon_s) <= 1.03 * persistence_bpm(frames, horizon_s)


def test_intervals_cover_what_they_claim_once_the_athlete_is_known(bundle: Bundle, cell: Cell) -> None:
    random = np.random.default_rng(6)
    frames = [
        dataclasses.replace(f, heart_rate_bpm=f.heart_rate_bpm and f.heart_rate_bpm + float(random.normal(scale=2)))
        for f in intervals(5400)
    ]
    athlete = new_athlete(bundle.manifest)
    play(bundle, cell, frames, athlete)
    forecasts = play(bundle, cell, frames, athlete)
    for horizon_s in HORIZONS_S:
        inside = [
            quantiles.q10 <= (frames[t + horizon_s].heart_rate_bpm or math.nan) <= quantiles.q90
            for t, forecast in enumerate(forecasts[:-horizon_s])
            if (quantiles := forecast[horizon_s]) is not None
        ]
        assert np.mean(inside) == pytest.approx(0.8, abs=0.03)


@given(st.lists(st.none() | st.floats(25, 250), max_size=150), st.lists(st.floats(25, 250), max_size=20))
def test_a_forecast_knows_nothing_of_what_comes_after_it(
    bundle: Bundle, cell: Cell, past: list[float | None], future: list[float]
) -> None:
    frames = [Frame(t, bpm) for t, bpm in enumerate([*past, *future])]
    together = play(bundle, cell, frames)
    assert together[: len(past)] == play(bundle, cell, frames[: len(past)])
    for frame, forecast in zip(frames, together, strict=True):
        for quantiles in forecast.values():
            assert (quantiles is None) == (frame.heart_rate_bpm is None)
            assert quantiles is None or quantiles.q10 <= quantiles.q50 <= quantiles.q90


def test_nothing_is_learned_across_a_pause(bundle: Bundle, cell: Cell) -> None:
    athlete = new_athlete(bundle.manifest)
    forecaster = AthleteForecaster(WorkoutForecaster(bundle, cell), athlete)
    for t in range(60):
        forecaster.step(Frame(t, 150.0))
    before = {name: athlete.numbers()[name].tolist() for name in ("information", "weights")}
    for t in range(60, 100):
        forecaster.step(Frame(t))
    for t in range(100, 159):
        forecaster.step(Frame(t, 90.0))
    assert {name: athlete.numbers()[name].tolist() for name in before} == before


def test_an_explanation_names_every_expert_and_every_input_that_is_there(bundle: Bundle, cell: Cell) -> None:
    forecaster = AthleteForecaster(WorkoutForecaster(bundle, cell), new_athlete(bundle.manifest))
    assert forecaster.explain() is None
    for frame in intervals(600):
        forecast = forecaster.step(frame)
    explanation = forecaster.explain()
    assert explanation is not None
    for horizon_s in HORIZONS_S:
        assert tuple(explanation.experts[horizon_s]) == EXPERTS
        assert sum(explanation.experts[horizon_s].values()) == pytest.approx(1, abs=1e-3)
    assert set(explanation.without) == {"heart_rate", "speed"}
    assert any(explanation.without["speed"].values())
    # To explain is to look, not to move on.
    assert forecaster.explain() == explanation
    assert play(bundle, cell, intervals(600))[-1] == forecast


def test_there_is_nothing_to_explain_without_a_heart_rate(bundle: Bundle, cell: Cell) -> None:
    forecaster = AthleteForecaster(WorkoutForecaster(bundle, cell), new_athlete(bundle.manifest))
    forecaster.step(Frame(0, 120.0))
    forecaster.step(Frame(1))
    assert forecaster.explain() is None


def test_the_state_of_an_athlete_stays_the_same_size_for_ever(bundle: Bundle, cell: Cell) -> None:
    athlete = new_athlete(bundle.manifest)
    sizes = {name: array.nbytes for name, array in athlete.numbers().items()}
    play(bundle, cell, intervals(3600), athlete)
    assert {name: array.nbytes for name, array in athlete.numbers().items()} == sizes
    assert all(np.isfinite(array).all() for array in athlete.numbers().values())
