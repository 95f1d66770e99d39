from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from training.recovery.dataset import all_recoveries
from training.simulator import Athlete, draw_athlete, draw_protocol, respond, simulate


@pytest.fixture(scope="module")
def athletes() -> list[Athlete]:
    random = np.random.default_rng(1)
    return [draw_athlete(random) for _ in range(300)]


def quiet(athlete: Athlete) -> Athlete:
    return dataclasses.replace(athlete, noise_bpm=0.0, lag_s=1, off_delay_s=0, drift_per_s=0.0)


def test_people_are_within_what_people_are(athletes: list[Athlete]) -> None:
    for athlete in athletes:
        assert 42 <= athlete.rest_bpm <= 100
        assert athlete.rest_bpm + 30 <= athlete.max_bpm <= 240
        assert 50 <= athlete.peak_w <= 450
    assert np.std([a.max_bpm for a in athletes]) > 10
    assert np.std([a.rest_bpm for a in athletes]) > 6


def test_heart_rate_rises_to_its_steady_state_and_falls_back(athletes: list[Athlete]) -> None:
    load_w = np.concatenate([np.zeros(60), np.full(3000, 0.5), np.zeros(6000)])
    for athlete in athletes[:20]:
        bpm = respond(quiet(athlete), load_w * athlete.peak_w, np.random.default_rng(0))
        assert bpm[0] == pytest.approx(athlete.rest_bpm, abs=1)
        steady_bpm = athlete.rest_bpm + 0.5 * (athlete.max_bpm - athlete.rest_bpm)
        assert bpm[3000] == pytest.approx(steady_bpm, abs=1.5)
        assert bpm[-1] == pytest.approx(athlete.rest_bpm, abs=1.5)
        assert (np.diff(bpm[60:3000]) >= 0).all()
        assert (np.diff(bpm[3100:]) <= 0).all()


def test_up_and_down_have_time_constants_of_their_own(athletes: list[Athlete]) -> None:
    athlete = dataclasses.replace(
        quiet(athletes[0]), slow_share=0.0, hard_off=0.0, fast_on_s=20.0, fast_off_s=60.0, rest_bpm=60.0, max_bpm=180.0
    )
    load_w = np.concatenate([np.zeros(10), np.full(400, 0.8), np.zeros(400)]) * athlete.peak_w
    bpm = respond(athlete, load_w, np.random.default_rng(0))
    share = (bpm - 60) / (0.8 * 120)
    assert share[10 + 20] == pytest.approx(1 - np.exp(-1), abs=0.03)
    assert share[410 + 60] == pytest.approx(np.exp(-1), abs=0.03)


def test_the_fall_starts_late_and_the_sensor_lags(athletes: list[Athlete]) -> None:
    prompt = dataclasses.replace(quiet(athletes[0]), slow_share=0.0)
    load_w = np.concatenate([np.full(600, 0.8), np.zeros(200)]) * prompt.peak_w
    late = dataclasses.replace(prompt, off_delay_s=12)
    lagging = dataclasses.replace(prompt, lag_s=5)
    at_once, delayed, lagged = (respond(a, load_w, np.random.default_rng(0)) for a in (prompt, late, lagging))
    np.testing.assert_array_equal(delayed[612:], at_once[600:-12])
    assert (lagged[605:660] >= at_once[605:660]).all()
    assert lagged[610] > at_once[610]


def test_beat_to_beat_noise_has_the_size_that_was_drawn(athletes: list[Athlete]) -> None:
    still = dataclasses.replace(quiet(athletes[0]), noise_bpm=2.0, noise_memory_s=3.0)
    bpm = respond(still, np.zeros(20_000), np.random.default_rng(0))
    assert bpm.std() == pytest.approx(2.0, rel=0.1)


def test_recoveries_span_patients_to_athletes() -> None:
    found = [r for r in all_recoveries(simulate(np.random.default_rng(3), athletes=150)) if r.outcome_bpm[0] > 0]
    drop_60_bpm = np.array([r.at_stop_bpm - r.outcome_bpm[0] for r in found])
    low, mid, high = np.percentile(drop_60_bpm, [10, 50, 90])
    assert low <= 12  # abnormal: Cole 1999
    assert 15 < mid < 32
    assert high > 38


def test_a_seed_gives_the_same_people_again() -> None:
    first, second = (simulate(np.random.default_rng(5), athletes=3) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.channels["heart_rate_bpm"], b.channels["heart_rate_bpm"])
        np.testing.assert_array_equal(a.channels["power_w"], b.channels["power_w"])


def test_every_protocol_ends_in_a_recovery(athletes: list[Athlete]) -> None:
    random = np.random.default_rng(2)
    for athlete in athletes[:100]:
        load_w = draw_protocol(athlete, random)
        assert (load_w[-240:] <= 0.36 * athlete.peak_w).all()
        assert load_w.max() > load_w[-1]
