"""Sessions are made strange in the ways that are named, and nobody's session is used twice."""

from __future__ import annotations

import numpy as np

from edge_agent.recordings.recording import Recording
from tests.training.conftest import make_recording
from training.dataset import Session, make_session
from training.disturb import MIN_SESSIONS, disturbed

_KINDS = ("as recorded", "optical watch", "unexplained waves", "cadence lock", "weak answer")


def sessions(count: int) -> list[Session]:
    return [make_session(make_recording("ada", f"s{i:02}", seconds=900, seed=i)) for i in range(count)]


def heart_rate(recording: Recording) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return recording.channels["heart_rate_bpm"]


def test_sessions_are_dealt_out_in_their_order() -> None:
    own = sessions(5 * MIN_SESSIONS)
    kinds = disturbed(own, seed=0)
    assert tuple(kinds) == _KINDS
    keys = [[s.key for s in spoiled] for spoiled in kinds.values()]
    assert sorted(key for some in keys for key in some) == [s.key for s in own]
    assert all(some == sorted(some) for some in keys)
    for spoiled, plain in zip(kinds["as recorded"], own[::5], strict=True):
        np.testing.assert_array_equal(spoiled.x, plain.x)


def test_too_few_sessions_are_left_alone() -> None:
    assert disturbed(sessions(3), seed=0) == {}


def test_each_kind_is_spoiled_in_its_way() -> None:
    own = sessions(5 * MIN_SESSIONS)
    kinds = disturbed(own, seed=0)
    _, watch, waves, lock, weak = (spoiled[0].recording for spoiled in kinds.values())
    _, as_watch, as_waves, as_lock, as_weak = (s.recording for s in own[:5])
    slow = [np.abs(np.diff(heart_rate(r))).mean() for r in (watch, as_watch)]
    assert slow[0] < slow[1] + 0.5  # a mean over seconds is smooth, but for its noise
    assert np.nanstd(heart_rate(waves) - heart_rate(as_waves)) > 3
    assert set(lock.channels) == {"heart_rate_bpm", "cadence_rpm"}
    assert np.isnan(heart_rate(lock)).any()
    np.testing.assert_allclose(lock.channels["cadence_rpm"], 2 * as_lock.channels["cadence_rpm"])
    assert np.std(heart_rate(weak)) < 0.8 * np.std(heart_rate(as_weak))
    assert "altitude_m" not in weak.channels


def test_the_same_seed_spoils_alike() -> None:
    first, second = (disturbed(sessions(5 * MIN_SESSIONS), seed=3) for _ in range(2))
    np.testing.assert_array_equal(first["cadence lock"][2].x, second["cadence lock"][2].x)
