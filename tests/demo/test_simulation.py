from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.demo.simulation import (
    MAX_RR_PER_PACKET,
    OFF_TAU_S,
    ON_TAU_S,
    RR_UNITS_PER_S,
    Athlete,
    Stage,
    StrapSecond,
    interval_workout,
    replayed,
    simulate,
)
from edge_agent.recordings.recording import Recording

NAN = float("nan")


def heart_rates_bpm(stages: list[Stage], seed: int = 0) -> list[int]:
    return [second.heart_rate_bpm or 0 for second in simulate(stages, seed=seed)]


def seconds_to(fraction: float, values: list[float], final: float) -> int:
    """Seconds until the values have gone this part of the way from the first to the final one."""
    wanted = values[0] + fraction * (final - values[0])
    return next(i for i, v in enumerate(values) if (v - wanted) * (final - values[0]) >= 0)


@given(seed=st.integers(0, 2**32), minutes=st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_the_heart_rate_stays_between_rest_and_maximum(seed: int, minutes: int) -> None:
    athlete = Athlete()
    beats = heart_rates_bpm(interval_workout(60 * minutes), seed)
    assert len(beats) == 60 * minutes
    assert min(beats) > athlete.resting_bpm - 15
    assert max(beats) < athlete.maximum_bpm + 5


def test_an_interval_workout_is_as_long_as_asked_and_gets_the_heart_going() -> None:
    assert [sum(s.duration_s for s in interval_workout(d)) for d in (6, 60, 719, 900)] == [6, 60, 719, 900]
    beats = heart_rates_bpm(interval_workout(900))
    assert max(beats) - min(beats) > 60


def test_the_heart_rate_rises_faster_than_it_falls_with_the_time_constants_of_the_source() -> None:
    stages = [Stage(300, 0.0), Stage(400, 0.7), Stage(500, 0.0)]
    mean = np.mean([heart_rates_bpm(stages, seed) for seed in range(20)], axis=0)
    on_s = seconds_to(1 - np.exp(-1), list(mean[299:700]), float(mean[650:700].mean()))
    off_s = seconds_to(1 - np.exp(-1), list(mean[699:]), float(mean[1100:].mean()))
    # The strap's average over its last beats comes about 2.5 s behind.
    assert on_s == pytest.approx(ON_TAU_S + 2.5, abs=3)
    assert off_s == pytest.approx(OFF_TAU_S + 2.5, abs=3)


def test_the_heart_rate_drifts_upwards_at_constant_effort() -> None:
    mean = np.mean([heart_rates_bpm([Stage(3600, 0.6)], seed) for seed in range(5)], axis=0)
    assert 5 < mean[3300:].mean() - mean[300:600].mean() < 10  # 3e-5 per s of 78 bpm, over 50 minutes: 7 bpm


def test_the_same_seed_gives_the_same_beats_and_another_seed_others() -> None:
    stages = interval_workout(300)
    assert list(simulate(stages, seed=7)) == list(simulate(stages, seed=7))
    assert list(simulate(stages, seed=7)) != list(simulate(stages, seed=8))


def test_the_heart_rate_is_the_mean_of_the_last_beats_and_the_beats_fill_the_time() -> None:
    seconds = list(simulate(interval_workout(600), seed=3))
    for i in range(5, len(seconds)):
        recent = [rr for second in seconds[i - 4 : i + 1] for rr in second.rr_intervals]
        assert seconds[i].heart_rate_bpm == round(60 * RR_UNITS_PER_S / np.mean(recent))
    total_s = sum(itertools.chain.from_iterable(s.rr_intervals for s in seconds)) / RR_UNITS_PER_S
    assert total_s == pytest.approx(600, abs=2)


def test_beats_vary_less_the_harder_the_effort() -> None:
    def rmssd_units(effort: float) -> float:
        seconds = list(simulate([Stage(900, effort)], seed=1))[300:]
        return float(np.sqrt(np.mean(np.diff([rr for s in seconds for rr in s.rr_intervals]) ** 2)))

    assert rmssd_units(0.0) > 2 * rmssd_units(0.5) > 4 * rmssd_units(0.9) > 0


def recording(heart_rate_bpm: list[float], rr_intervals_ms: dict[int, tuple[float, ...]] | None = None) -> Recording:
    return Recording(
        person="p",
        session="s",
        sport="running",
        source="test",
        licence="own",
        started_at=None,
        channels={"heart_rate_bpm": np.array(heart_rate_bpm, np.float32)},
        rr_intervals_ms=rr_intervals_ms or {},
    )


def test_a_recording_is_played_with_its_gaps_and_its_beats() -> None:
    played = list(replayed(recording([60.4, NAN, 71.6], {0: (1000.0,), 2: (500.0, 844.7)})))
    assert played == [StrapSecond(60, (1024,)), StrapSecond(None), StrapSecond(72, (512, 865))]


def test_more_beats_than_a_packet_holds_go_out_in_the_next_second() -> None:
    played = list(replayed(recording([60.0, 60.0], {0: (250.0,) * 12, 1: (500.0,)})))
    assert played[0].rr_intervals == (256,) * MAX_RR_PER_PACKET
    assert played[1].rr_intervals == (256,) * 3 + (512,)
