"""What is told of sensors: a strap that is away for long in a session, that it is back, a battery; not more."""

from __future__ import annotations

from pathlib import Path

import msgspec

from edge_agent.agent.events import Events
from edge_agent.agent.sensor_events import LOST_S, SensorEvents
from edge_agent.config import Role
from edge_agent.sensors.links.states import Alert, LinkState, SensorStatus, SignalState
from tests.agent.command_bench import Bench, bench

HERE = SensorStatus("heart_rate 1", Role.HEART_RATE, "ada", LinkState.CONNECTED, None, SignalState.LIVE)
AWAY = msgspec.structs.replace(HERE, link=LinkState.SEARCHING, signal=SignalState.NO_SIGNAL)
LOW = msgspec.structs.replace(HERE, alerts=(Alert.BATTERY_LOW,), battery_percent=10)


def watch(rig: Bench, *looks: tuple[float, SensorStatus]) -> list[tuple[str, object]]:
    """Look at a strap; what is told of it."""
    sensors = SensorEvents(rig.recorder, Events(rig.journal, rig.clock, told=True))
    for now_s, status in looks:
        sensors.look([status], now_s)
    told = [event for event in rig.events() if not event.name.startswith("session")]
    assert all((event.athlete, event.detail["sensor"]) == ("ada", "heart_rate 1") for event in told)
    return [(event.name, event.detail.get("away_s", event.detail.get("battery_percent"))) for event in told]


def test_a_sensor_that_is_away_in_a_session_is_told_once_and_that_it_is_back(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        rig.beat(5)
        looks = [(0, HERE), (5, AWAY), (5 + LOST_S, AWAY), (10 + LOST_S, AWAY), (95, HERE), (100, HERE)]
        assert watch(rig, *looks) == [("sensor_lost", None), ("sensor_back", 90)]
        assert rig.ada.session is not None
        assert rig.events()[-1].session_id == str(rig.ada.session.uuid)


def test_one_that_comes_back_soon_and_one_that_nobody_wears_are_no_news(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        assert watch(rig, (0, AWAY), (1000, AWAY), (1005, HERE)) == []
        rig.beat(5)
        assert watch(rig, (0, HERE), (5, AWAY), (5 + LOST_S - 1, AWAY), (5 + LOST_S, HERE)) == []


def test_a_low_battery_is_told_once_until_it_is_charged(tmp_path: Path) -> None:
    with bench(tmp_path) as rig:
        assert watch(rig, (0, HERE), (5, LOW), (10, LOW), (15, HERE), (20, LOW)) == [("battery_low", 10)] * 2
