from __future__ import annotations

import dataclasses
import itertools
import math

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import BundleError
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.forecast import QUANTILES
from edge_agent.inference.recovery import LONGEST_S, Recovery, RecoveryForecaster, seconds_to_target
from edge_agent.inference.runtime import Cell
from edge_agent.signals.effort import HOLD_S, RECOVERY_S
from edge_agent.signals.frame import Frame
from edge_agent.signals.recovery import CONTRACT, FALL_SCALE_BPM, FEATURE_NAMES, HORIZONS_S, RecoveryStream

STOP_S = 420


class FirstOrderCell(Cell):
    """Forecasts the fall that is among the features, 5 bpm to each side, and counts its steps in its state."""

    def __init__(self) -> None:
        self.recipe, self.runtime, self.state_size = "numpy", "numpy", 2
        self.counts: list[float] = []

    def step(
        self, x: NDArray[np.float32], state: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        assert x.shape == (1, len(FEATURE_NAMES))
        assert np.isfinite(x).all()
        y = []
        for horizon_s, scale_bpm in zip(HORIZONS_S, FALL_SCALE_BPM, strict=True):
            fall_bpm = x[0, FEATURE_NAMES.index(f"fall_{horizon_s}")] * scale_bpm
            side_bpm = 5 * x[0, FEATURE_NAMES.index(f"reach_{horizon_s}")]
            y += [fall_bpm - side_bpm, fall_bpm, fall_bpm + side_bpm]
        self.counts.append(float(state[0, 0]))
        return np.array([y], np.float32), state + 1


@pytest.fixture
def recovery_bundle(bundle: Bundle) -> Bundle:
    interface = msgspec.structs.replace(
        bundle.manifest.cell, contract=CONTRACT, features=FEATURE_NAMES, horizons_s=HORIZONS_S, quantiles=QUANTILES
    )
    manifest = msgspec.structs.replace(bundle.manifest, task="recovery", interface=interface)
    return dataclasses.replace(bundle, manifest=manifest)


def frame(t_s: int) -> Frame:
    """Two minutes easy, five minutes hard, then easy again."""
    at_stop = 170 - 80 * math.exp(-300 / 40)
    if t_s <= 120:
        return Frame(t_s, 90.0, power_w=70.0)
    if t_s <= STOP_S:
        return Frame(t_s, 170 - 80 * math.exp(-(t_s - 120) / 40), power_w=250.0)
    return Frame(t_s, 100 + (at_stop - 100) * math.exp(-(t_s - STOP_S) / 60), power_w=40.0)


def play(forecaster: RecoveryForecaster, seconds: int = STOP_S + 200) -> dict[int, Recovery]:
    steps = ((t_s, forecaster.step(frame(t_s))) for t_s in range(seconds))
    return {t_s: recovery for t_s, recovery in steps if recovery is not None}


def test_a_recovery_is_forecast_each_second_for_two_minutes(recovery_bundle: Bundle) -> None:
    seen = play(RecoveryForecaster(recovery_bundle, FirstOrderCell()))
    assert list(seen) == list(range(min(seen), STOP_S + RECOVERY_S + 1))
    assert min(seen) <= STOP_S + 12
    assert {r.stop_t_s for r in seen.values()} == {STOP_S}
    for recovery in seen.values():
        for q in (recovery.hr60_bpm, recovery.hr120_bpm):
            assert q.q10 <= q.q50 <= q.q90
        assert (recovery.seconds_to_target, recovery.not_reached) == (None, False)


def test_once_a_horizon_is_past_the_measured_heart_rate_stands(recovery_bundle: Bundle) -> None:
    seen = play(RecoveryForecaster(recovery_bundle, FirstOrderCell()))
    for second in range(STOP_S + 60, STOP_S + RECOVERY_S + 1):
        measured = frame(STOP_S + 60).heart_rate_bpm
        assert measured is not None
        assert seen[second].hr60_bpm.q10 == seen[second].hr60_bpm.q90 == pytest.approx(measured, abs=0.01)


def test_the_state_starts_at_zero_with_each_recovery(recovery_bundle: Bundle) -> None:
    cell = FirstOrderCell()
    forecaster = RecoveryForecaster(recovery_bundle, cell)
    for t_s in range(2 * (STOP_S + 200)):
        again = frame(t_s % (STOP_S + 200))
        forecaster.step(dataclasses.replace(again, t_s=t_s))
    starts = [i for i, count in enumerate(cell.counts) if count == 0]
    assert len(starts) == 2
    assert cell.counts == [float(i) for i in range(starts[1])] + [float(i) for i in range(len(cell.counts) - starts[1])]


def test_a_target_is_counted_down_to(recovery_bundle: Bundle) -> None:
    seen = play(RecoveryForecaster(recovery_bundle, FirstOrderCell(), target_bpm=140.0))
    first, *_, last = seen.values()
    assert first.seconds_to_target is not None
    assert first.seconds_to_target > 20
    assert last.seconds_to_target == 0
    assert not any(r.not_reached for r in seen.values())


def test_a_target_below_the_baseline_is_not_reached(recovery_bundle: Bundle) -> None:
    seen = play(RecoveryForecaster(recovery_bundle, FirstOrderCell(), target_bpm=60.0))
    assert all(r.not_reached and r.seconds_to_target is None for r in seen.values())


def test_without_heart_rate_there_is_no_forecast(recovery_bundle: Bundle) -> None:
    forecaster = RecoveryForecaster(recovery_bundle, FirstOrderCell())
    away = range(STOP_S + 40, STOP_S + 80)
    seen = {}
    for t_s in range(STOP_S + 120):
        whole = frame(t_s)
        seen[t_s] = forecaster.step(dataclasses.replace(whole, heart_rate_bpm=None) if t_s in away else whole)
    assert seen[away[HOLD_S - 1]] is not None
    assert all(seen[t_s] is None for t_s in away[HOLD_S:])
    assert seen[away[-1] + 1] is not None


def test_another_models_bundle_is_refused(bundle: Bundle, cell: Cell) -> None:
    with pytest.raises(BundleError, match="this agent makes recovery"):
        RecoveryForecaster(bundle, cell)


def test_the_time_to_a_target_is_that_of_an_exponential_fall() -> None:
    # 180 to 100 bpm with tau 60 s: 83.2 s until 120 bpm.
    curve = [(s, 100 + 80 * math.exp(-s / 60)) for s in (0, 30, 90)]
    assert seconds_to_target(120.0, curve, 100.0) == pytest.approx(60 * math.log(80 / 20))
    assert seconds_to_target(102.0, curve, 100.0) == pytest.approx(60 * math.log(80 / 2))


def test_a_target_is_not_reached_by_a_rise_nor_in_ages() -> None:
    assert seconds_to_target(120.0, [(0, 150.0), (30, 151.0)], 100.0) is None
    assert seconds_to_target(120.0, [(0, 150.0), (30, 149.9)], 100.0) is None
    assert seconds_to_target(99.0, [(0, 150.0), (30, 130.0)], 100.0) is None
    assert 30 * math.log(50 / 20) / math.log(50 / 49.9) > LONGEST_S


def test_features_of_a_recovery_say_what_happened() -> None:
    stream = RecoveryStream()
    seconds = [s for t_s in range(STOP_S + 100) if (s := stream.step(frame(t_s))) is not None]
    at_30 = next(s for s in seconds if s.elapsed_s == 30)
    named = dict(zip(FEATURE_NAMES, at_30.vector.tolist(), strict=True))
    now_bpm = frame(STOP_S + 30).heart_rate_bpm
    assert at_30.now_bpm == now_bpm
    assert named["drop_since_stop"] * 20 == pytest.approx(at_30.at_stop_bpm - at_30.now_bpm, abs=1e-4)
    assert named["excess"] * 50 == pytest.approx(at_30.now_bpm - at_30.baseline_bpm, abs=1e-4)
    assert at_30.baseline_bpm == pytest.approx(90.0)
    assert named["load_since_stop"] == pytest.approx(40 / 250, abs=1e-3)
    falls = [named["fall_60"] * FALL_SCALE_BPM[0], named["fall_120"] * FALL_SCALE_BPM[1]]
    assert falls[1] < falls[0] < 0
    assert [s.announced for s in seconds] == [True] + [False] * (len(seconds) - 1)
    assert all(a.elapsed_s + 1 == b.elapsed_s for a, b in itertools.pairwise(seconds))
