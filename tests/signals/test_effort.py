from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.signals.effort import RECOVERY_S, EffortDetector, EffortStop
from edge_agent.signals.frame import Frame

WARM_UP_S, EFFORT_S, REST_S = 120, 300, 200
STOP_S = WARM_UP_S + EFFORT_S


def heart_rate_bpm(t_s: int, *, stop_s: int = STOP_S) -> float:
    """At 90 bpm in the warm-up, towards 170 in the effort, and back towards 100 after it."""
    if t_s <= WARM_UP_S:
        return 90.0
    at_stop = 170 - 80 * math.exp(-(stop_s - WARM_UP_S) / 40)
    if t_s <= stop_s:
        return round(170 - 80 * math.exp(-(t_s - WARM_UP_S) / 40))
    return round(100 + (at_stop - 100) * math.exp(-(t_s - stop_s) / 60))


def power_w(t_s: int) -> float:
    """Strokes of noise around 80 W, then 260 W, then 60 W."""
    wave = 1 + 0.3 * math.sin(t_s * 2.1)
    return wave * (80.0 if t_s <= WARM_UP_S else 260.0 if t_s <= STOP_S else 60.0)


def session(*, load: str | None = "power_w", every_s: int = 1) -> Iterator[Frame]:
    for t_s in range(STOP_S + REST_S):
        if t_s % every_s:
            yield Frame(t_s)
        elif load is None:
            yield Frame(t_s, heart_rate_bpm(t_s))
        else:
            scale = {"power_w": 1.0, "speed_mps": 1 / 80, "cadence_rpm": 1 / 3}[load]
            yield Frame(t_s, heart_rate_bpm(t_s), **{load: power_w(t_s) * scale})  # type: ignore[arg-type]


def run(frames: Iterator[Frame]) -> list[tuple[int, EffortStop]]:
    detector = EffortDetector()
    return [(f.t_s, stop) for f in frames if (stop := detector.step(f)) is not None]


@pytest.mark.parametrize("load", ["power_w", "speed_mps", "cadence_rpm"])
def test_a_stop_is_announced_late_with_the_second_at_which_load_fell(load: str) -> None:
    ((announced_s, stop),) = run(session(load=load))
    assert stop.stop_t_s == STOP_S
    assert STOP_S < announced_s <= STOP_S + 12
    assert stop.channel == load
    assert stop.effort_s >= EFFORT_S - 5


def test_a_stop_is_found_from_heart_rate_alone() -> None:
    ((announced_s, stop),) = run(session(load=None))
    assert abs(stop.stop_t_s - STOP_S) <= 5
    assert announced_s <= STOP_S + 25
    assert (stop.channel, stop.load) == (None, 0.0)


@pytest.mark.parametrize("load", ["power_w", None])
def test_a_sample_each_ten_seconds_is_enough(load: str | None) -> None:
    ((announced_s, stop),) = run(session(load=load, every_s=10))
    assert abs(stop.stop_t_s - STOP_S) <= 10
    assert announced_s <= STOP_S + 30


def test_coasting_for_some_seconds_is_no_stop() -> None:
    def coasting() -> Iterator[Frame]:
        for t_s in range(STOP_S):
            rolls = t_s > WARM_UP_S and t_s % 60 < 7
            yield Frame(t_s, heart_rate_bpm(t_s), power_w=0.0 if rolls else power_w(t_s))

    assert run(coasting()) == []


def test_work_that_heart_rate_did_not_answer_to_is_no_effort() -> None:
    frames = (Frame(f.t_s, 92.0 + f.t_s % 3, power_w=f.power_w) for f in session())
    assert run(frames) == []


def test_an_effort_of_less_than_a_minute_is_none() -> None:
    frames = (
        Frame(t_s, 90.0 + (40.0 if 100 < t_s < 150 else 0.0), power_w=250.0 if 100 < t_s < 150 else 0.0)
        for t_s in range(300)
    )
    assert run(frames) == []


def test_a_gap_in_all_sensors_is_no_stop() -> None:
    def paused() -> Iterator[Frame]:
        for t_s in range(STOP_S):
            yield Frame(t_s) if 200 <= t_s < 300 else Frame(t_s, heart_rate_bpm(t_s), power_w=power_w(t_s))

    assert run(paused()) == []


def test_a_power_meter_that_falls_silent_after_the_stop_changes_nothing() -> None:
    detector = EffortDetector()
    announced, standing = [], []
    for frame in session():
        silent = STOP_S + 20 < frame.t_s < STOP_S + 60
        seen = Frame(frame.t_s, frame.heart_rate_bpm, power_w=None if silent else frame.power_w)
        if detector.step(seen) is not None:
            announced.append(frame.t_s)
        if detector.stop is not None:
            standing.append(frame.t_s)
    assert len(announced) == 1
    assert standing == list(range(announced[0], STOP_S + RECOVERY_S + 1))


def test_where_the_power_meter_falls_silent_at_once_heart_rate_tells() -> None:
    frames = (Frame(f.t_s, f.heart_rate_bpm, power_w=f.power_w if f.t_s <= STOP_S else None) for f in session())
    ((announced_s, stop),) = run(frames)
    assert stop.channel is None
    assert abs(stop.stop_t_s - STOP_S) <= 5
    assert announced_s <= STOP_S + 30


def test_the_stop_stands_for_two_minutes() -> None:
    detector = EffortDetector()
    standing = []
    for frame in session():
        detector.step(frame)
        if detector.stop is not None:
            standing.append(frame.t_s)
    assert standing[-1] == STOP_S + RECOVERY_S


@pytest.mark.parametrize("load", [True, False])
def test_a_new_effort_ends_the_recovery_and_has_a_stop_of_its_own(load: bool) -> None:  # noqa: FBT001
    detector = EffortDetector()
    stops = []
    ended_s = None
    again_s = STOP_S + 60
    for t_s in range(again_s + 400):
        turn_s = t_s if t_s <= again_s else t_s - again_s + WARM_UP_S
        bpm = max(heart_rate_bpm(turn_s), heart_rate_bpm(again_s) if t_s > again_s else 0)
        frame = Frame(t_s, bpm, power_w=power_w(turn_s) if load else None)
        if (stop := detector.step(frame)) is not None:
            stops.append(stop.stop_t_s)
        if stops and detector.stop is None and ended_s is None:
            ended_s = t_s
    assert ended_s is not None
    assert again_s < ended_s < again_s + 60
    assert len(stops) == 2
    assert stops[1] == pytest.approx(again_s + EFFORT_S, abs=5)


_maybe = st.none() | st.floats(0, 400)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(_maybe, _maybe, _maybe), max_size=400))
def test_whatever_comes_in_a_stop_lies_in_the_past_after_a_minute_of_effort(
    seconds: list[tuple[float | None, float | None, float | None]],
) -> None:
    frames = (Frame(t_s, bpm, power_w=w, speed_mps=v) for t_s, (bpm, w, v) in enumerate(seconds))
    for announced_s, stop in run(iter(list(frames))):
        assert 0 <= stop.stop_t_s < announced_s
        assert stop.effort_s >= 60
