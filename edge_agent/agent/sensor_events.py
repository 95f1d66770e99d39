"""Events of sensors: lost in the middle of a session, back, and nearly out of battery."""

from __future__ import annotations

from edge_agent.agent.clock import Clock
from edge_agent.agent.events import Detail, Events
from edge_agent.agent.recorder import Recorder
from edge_agent.sensors.links.links import Links
from edge_agent.sensors.links.states import Alert, LinkState, SensorStatus
from edge_agent.store.messages import EventName

LOOK_S = 5.0

# A strap at the edge of range goes and comes back within seconds, which is no news.
LOST_S = 30.0


class SensorEvents:
    """Tells what happens to sensors, from their states as they are looked at."""

    def __init__(self, recorder: Recorder, events: Events) -> None:
        self._recorder = recorder
        self._events = events
        self._gone_s: dict[str, float] = {}  # by label of those that are away, since when
        self._lost: set[str] = set()  # labels of those of which it was told
        self._low: set[str] = set()

    def look(self, sensors: list[SensorStatus], now_s: float) -> None:
        """Take the states of all sensors at a moment of the agent's clock."""
        for sensor in sensors:
            if sensor.link is LinkState.CONNECTED:
                gone_s = self._gone_s.pop(sensor.label, now_s)
                if sensor.label in self._lost:
                    self._lost.remove(sensor.label)
                    self._tell("sensor_back", sensor, {"away_s": round(now_s - gone_s)})
            elif self._away_s(sensor, now_s) >= LOST_S and sensor.label not in self._lost and self._recording(sensor):
                self._lost.add(sensor.label)
                self._tell("sensor_lost", sensor, {})
            if Alert.BATTERY_LOW not in sensor.alerts:
                self._low.discard(sensor.label)
            elif sensor.label not in self._low:
                self._low.add(sensor.label)
                self._tell("battery_low", sensor, {"battery_percent": sensor.battery_percent or 0})

    def _away_s(self, sensor: SensorStatus, now_s: float) -> float:
        return now_s - self._gone_s.setdefault(sensor.label, now_s)

    def _recording(self, sensor: SensorStatus) -> bool:
        athlete = self._recorder.athlete(sensor.athlete or self._recorder.default_athlete)
        return athlete is not None and athlete.session is not None

    def _tell(self, name: EventName, sensor: SensorStatus, detail: Detail) -> None:
        athlete = sensor.athlete or self._recorder.default_athlete
        recorder = self._recorder.athlete(athlete)
        session = recorder.session if recorder else None
        session_id, t_s = (session.uuid, session.t_s) if session else (None, None)
        told = {"sensor": sensor.label, "role": sensor.role.value, **detail}
        self._events.tell(name, athlete, session_id, t_s, told)


async def watch_sensors(links: Links, recorder: Recorder, events: Events, clock: Clock) -> None:
    """Tell of sensors until cancelled."""
    watch = SensorEvents(recorder, events)
    while True:
        watch.look(links.status(), clock.monotonic_s())
        await clock.sleep(LOOK_S)
