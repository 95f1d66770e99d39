"""The data's own clock: what is live, and what is wrong with what is not."""

from __future__ import annotations

import pytest

from edge_agent.config import Role
from edge_agent.sensors.links.health import LIVE_S, LOW_BATTERY_PERCENT, RR_MISSING_S, STALL_S, DataHealth
from edge_agent.sensors.links.states import Alert, SignalState
from edge_agent.sensors.profiles import heart_rate
from edge_agent.sensors.profiles.heart_rate import HeartRateMeasurement
from edge_agent.sensors.profiles.readings import Acceleration, Quantity, Reading


def beat(bpm: int, now_s: float, *, contact: bool | None = True, rr_ms: tuple[float, ...] = ()) -> list[Reading]:
    return list(heart_rate.readings(HeartRateMeasurement(bpm, contact, None, rr_ms), now_s))


def test_a_value_is_live_for_six_seconds_and_then_there_is_none() -> None:
    health = DataHealth(Role.HEART_RATE)
    assert health.signal(0.0) is SignalState.NO_SIGNAL
    assert health.frame_age_s(0.0) is None
    health.frame(beat(60, 10.0), 10.0)
    assert health.signal(10.0 + LIVE_S) is SignalState.LIVE
    assert health.signal(10.0 + LIVE_S + 0.01) is SignalState.NO_SIGNAL
    assert health.frame_age_s(12.0) == 2.0


def test_a_strap_off_the_body_says_so_at_once_and_one_that_cannot_tell_does_not() -> None:
    health = DataHealth(Role.HEART_RATE)
    health.frame(beat(60, 0.0, contact=False), 0.0)
    assert health.signal(0.0) is SignalState.NO_CONTACT
    health.frame(beat(60, 1.0, contact=None), 1.0)
    assert health.signal(1.0) is SignalState.LIVE


def test_a_heart_rate_that_stands_still_for_longer_than_any_heart_is_stalled() -> None:
    health = DataHealth(Role.HEART_RATE)
    for t_s in range(int(STALL_S) + 2):
        assert health.signal(t_s - 1) is not SignalState.STALLED
        health.frame(beat(155, t_s), t_s)
    assert health.signal(STALL_S + 1) is SignalState.STALLED
    health.frame(beat(156, STALL_S + 2), STALL_S + 2)
    assert health.signal(STALL_S + 2) is SignalState.LIVE


def test_beats_that_vary_show_that_it_is_alive_and_a_treadmills_speed_may_stand_still() -> None:
    health, treadmill = DataHealth(Role.HEART_RATE), DataHealth(Role.TREADMILL)
    for t_s in range(600):
        health.frame(beat(60, t_s, rr_ms=(990.0 + t_s % 2,)), t_s)
        treadmill.frame([Reading(Quantity.SPEED, 2.5, t_s)], t_s)
    assert health.signal(599) is SignalState.LIVE
    assert treadmill.signal(599) is SignalState.LIVE


def test_intervals_that_stop_coming_are_missed_and_ones_that_never_came_are_not() -> None:
    with_rr, without = DataHealth(Role.HEART_RATE), DataHealth(Role.HEART_RATE)
    for t_s in range(int(RR_MISSING_S) + 2):
        with_rr.frame(beat(60 + t_s, t_s, rr_ms=(990.0,) if t_s == 0 else ()), t_s)
        without.frame(beat(60 + t_s, t_s), t_s)
    assert with_rr.alerts(RR_MISSING_S + 1) == (Alert.RR_MISSING,)
    assert without.alerts(RR_MISSING_S + 1) == ()
    assert with_rr.alerts(RR_MISSING_S + 100) == ()  # nothing comes at all, which is another thing


@pytest.mark.parametrize(("percent", "low"), [(LOW_BATTERY_PERCENT, True), (LOW_BATTERY_PERCENT + 1, False)])
def test_a_battery_nearly_empty_is_said_and_is_no_sign_of_data(percent: int, *, low: bool) -> None:
    health = DataHealth(Role.HEART_RATE)
    health.battery(percent)
    assert (Alert.BATTERY_LOW in health.alerts(0.0)) is low
    assert health.signal(0.0) is SignalState.NO_SIGNAL


def test_acceleration_is_a_frame_too() -> None:
    health = DataHealth(Role.HEART_RATE)
    health.frame([Acceleration((0.0,), ((0.0, 0.0, 9.8),))], 0.0)
    assert health.signal(0.0) is SignalState.LIVE
