"""The workout forecaster on a session, with the shipped model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.forecast import HIGHEST_BPM, LOWEST_BPM, Forecast, WorkoutForecaster
from edge_agent.inference.runtime import Cell
from edge_agent.signals.features import GAP_S
from edge_agent.signals.frame import Frame

HORIZONS_S = (10, 30, 60)


def play(bundle: Bundle, cell: Cell, rates: Sequence[float | None]) -> list[Forecast]:
    forecaster = WorkoutForecaster(bundle, cell)
    return [forecaster.step(Frame(t, bpm)) for t, bpm in enumerate(rates)]


heart_rates = st.lists(st.none() | st.floats(25, 250, allow_nan=False), max_size=60)


@given(heart_rates)
def test_every_second_with_a_heart_rate_has_a_forecast_in_order_and_in_range(
    bundle: Bundle, cell: Cell, rates: list[float | None]
) -> None:
    for bpm, forecast in zip(rates, play(bundle, cell, rates), strict=True):
        assert tuple(forecast) == HORIZONS_S
        for quantiles in forecast.values():
            assert (quantiles is None) == (bpm is None)
            if quantiles is not None:
                assert LOWEST_BPM <= quantiles.q10 <= quantiles.q50 <= quantiles.q90 <= HIGHEST_BPM


@given(heart_rates, heart_rates)
def test_a_forecast_knows_nothing_of_what_comes_after_it(
    bundle: Bundle, cell: Cell, past: list[float | None], future: list[float | None]
) -> None:
    assert play(bundle, cell, past + future)[: len(past)] == play(bundle, cell, past)


def test_after_a_long_pause_the_model_starts_afresh(bundle: Bundle, cell: Cell) -> None:
    before, after = [150.0 + t / 10 for t in range(120)], [90.0 + t for t in range(30)]
    resumed = play(bundle, cell, [*before, *[None] * (GAP_S + 1), *after])
    assert resumed[-len(after) :] == play(bundle, cell, after)


def test_after_a_short_gap_the_model_remembers(bundle: Bundle, cell: Cell) -> None:
    before, after = [150.0 + t / 10 for t in range(120)], [162.0 + t / 10 for t in range(30)]
    resumed = play(bundle, cell, [*before, *[None] * 3, *after])
    assert resumed[-len(after) :] != play(bundle, cell, after)


@pytest.mark.parametrize("task", ["workout", "recovery"])
@pytest.mark.parametrize("change", [{"contract": "workout-0"}, {"quantiles": (0.5,)}])
def test_a_bundle_for_something_else_is_refused(
    bundle: Bundle, cell: Cell, task: str, change: dict[str, object]
) -> None:
    interface = msgspec.structs.replace(bundle.manifest.cell, **change)
    other = dataclasses.replace(
        bundle, manifest=msgspec.structs.replace(bundle.manifest, task=task, interface=interface)
    )
    with pytest.raises(BundleError, match="use one made for this version"):
        WorkoutForecaster(other, cell)
