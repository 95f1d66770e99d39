from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from training.recovery.baselines import (
    FallRidge,
    FreeExponential,
    MeanFall,
    Persistence,
    SharedTau,
    baselines,
    changes_bpm,
    origin_bpm,
)
from training.recovery.dataset import LENGTH_S, Recovered


@pytest.fixture(scope="module")
def exponential(recovered: list[Recovered]) -> list[Recovered]:
    """Recoveries that fall towards their baseline with a time constant of 70 s, exactly."""
    made = []
    for i, r in enumerate(recovered[:12]):
        start_bpm, rest_bpm = 150.0 + i, 70.0 + 2 * i
        seconds = np.arange(r.recording.duration_s) - r.stop.stop_t_s
        bpm = np.where(seconds < 0, start_bpm, rest_bpm + (start_bpm - rest_bpm) * np.exp(-seconds / 70))
        bpm = bpm.astype(np.float32)
        made.append(
            dataclasses.replace(
                r,
                recording=dataclasses.replace(r.recording, channels={"heart_rate_bpm": bpm}),
                now_bpm=bpm[r.stop.stop_t_s + 1 : r.stop.stop_t_s + 1 + LENGTH_S],
                at_stop_bpm=start_bpm,
                baseline_bpm=rest_bpm,
                outcome_bpm=bpm[[r.stop.stop_t_s + 60, r.stop.stop_t_s + 120]],
            )
        )
    return made


def test_the_shared_time_constant_is_found(exponential: list[Recovered]) -> None:
    baseline = SharedTau()
    baseline.fit(exponential)
    assert baseline.tau_s == pytest.approx(70, rel=0.02)
    np.testing.assert_allclose(baseline.predict(exponential), changes_bpm(exponential), atol=0.5)


def test_a_free_exponential_continues_one(exponential: list[Recovered]) -> None:
    np.testing.assert_allclose(FreeExponential().predict(exponential), changes_bpm(exponential), atol=1.0)


def test_the_mean_fall_is_the_mean(recovered: list[Recovered]) -> None:
    baseline = MeanFall()
    baseline.fit(recovered[:10])
    np.testing.assert_allclose(baseline.predict(recovered[10:11]), changes_bpm(recovered[:10]).mean(axis=0)[None])


def test_persistence_changes_nothing(recovered: list[Recovered]) -> None:
    assert not Persistence().predict(recovered).any()


def test_a_ridge_beats_the_mean_where_people_differ(recovered: list[Recovered]) -> None:
    half = len(recovered) // 2
    errors = []
    for baseline in (FallRidge(), MeanFall()):
        baseline.fit(recovered[:half])
        errors.append(np.abs(baseline.predict(recovered[half:]) - changes_bpm(recovered[half:])).mean())
    assert errors[0] < errors[1]


def test_no_baseline_sees_what_follows_the_origin(recovered: list[Recovered]) -> None:
    blinded = []
    for r in recovered[:10]:
        bpm = r.recording.channels["heart_rate_bpm"].copy()
        bpm[r.stop.stop_t_s + 31 :] = 200
        now_bpm = r.now_bpm.copy()
        now_bpm[30:] = 200
        changed = dataclasses.replace(r.recording, channels={**r.recording.channels, "heart_rate_bpm": bpm})
        blinded.append(dataclasses.replace(r, recording=changed, now_bpm=now_bpm))
    np.testing.assert_array_equal(origin_bpm(blinded), origin_bpm(recovered[:10]))
    sampled = [i for i, r in enumerate(recovered[:10]) if not np.isnan(r.recording.channels["heart_rate_bpm"]).any()]
    for baseline in baselines():
        baseline.fit(recovered)
        seen, unseen = baseline.predict(recovered[:10]), baseline.predict(blinded)
        np.testing.assert_allclose(seen[sampled], unseen[sampled])
