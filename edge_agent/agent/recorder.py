"""Records every athlete's sensors: which of them counts, and from when to when there is a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from edge_agent.agent.activity import LiveActivity
from edge_agent.agent.arbitration import Arbiter
from edge_agent.agent.clock import Clock
from edge_agent.agent.session import LiveSession
from edge_agent.config import AgentConfig, Role, SensorConfig
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.models import ActivityModel, WorkoutModel
from edge_agent.sensors.links.states import SignalState
from edge_agent.sensors.links.supervisor import Packet
from edge_agent.sensors.profiles.readings import Acceleration, Quantity
from edge_agent.signals.alignment import heart_rate_of, load_of
from edge_agent.store.journal import Journal

log = logging.getLogger(__name__)


class Recorder:
    """Gives each packet to the athlete whose sensor sent it, and advances every session, second by second."""

    def __init__(self, config: AgentConfig, journal: Journal, clock: Clock, *, enqueue: bool) -> None:
        """Open the model.

        Args:
            config: whose sensors there are, and where the record is.
            journal: to record in.
            clock: the agent's time.
            enqueue: whether summaries are meant for a broker.
        """
        self._default_athlete = config.athlete.name
        self._journal = journal
        self._enqueue = enqueue
        self._clock = clock
        self._model = WorkoutModel(config.store.directory, cache=config.store.directory)
        self._cache = config.store.directory
        self._activity_model: ActivityModel | None = None
        self._athletes: dict[str, _AthleteRecorder] = {}
        self._begun = asyncio.Event()
        log.info("model: workout %s, %s", self._model.version, self._model.form)

    def close_interrupted(self) -> None:
        """Close what an earlier run could not."""
        for session in self._journal.open_sessions():
            self._journal.close_session(session, interrupted=True, enqueue=self._enqueue)
            log.warning("session: an interrupted one was closed; none of its recorded seconds is lost")

    def arrange(self, sensors: Sequence[tuple[str, SensorConfig]]) -> None:
        """Take note of the sensors there are, by label, in order of preference.

        Raises:
            BundleError: one streams acceleration, and the activity model cannot be used.
        """
        if self._activity_model is None and any(sensor.acceleration for _, sensor in sensors):
            self._activity_model = ActivityModel(cache=self._cache)
        orders: dict[str, list[str]] = {}
        for label, sensor in sensors:
            orders.setdefault(sensor.athlete or self._default_athlete, []).append(label)
        for athlete, order in orders.items():
            if athlete not in self._athletes:
                self._athletes[athlete] = _AthleteRecorder(athlete, self._journal, self._model, self._clock)
            self._athletes[athlete].arrange(order)
        for _, sensor in sensors:
            if sensor.acceleration and self._activity_model:
                self._athletes[sensor.athlete or self._default_athlete].follow(self._activity_model)

    def sources(self) -> dict[str, dict[Quantity, str]]:
        """By athlete and quantity, the label of the sensor that counts."""
        return {name: athlete.sources() for name, athlete in self._athletes.items()}

    def activities(self) -> dict[str, CurrentActivity | None]:
        """By athlete of whom acceleration is taken, what is done now; None without a signal."""
        now_s = self._clock.monotonic_s()
        return {
            name: athlete.activity.latest(now_s)
            for name, athlete in self._athletes.items()
            if athlete.activity is not None
        }

    def take(self, packet: Packet) -> None:
        """Take a packet, as it arrives."""
        athlete = self._athletes[packet.sensor.athlete or self._default_athlete]
        if athlete.take(packet):
            self._begun.set()

    async def run(self) -> None:
        """Advance the sessions until cancelled."""
        while True:
            await self._begun.wait()
            while recording := [athlete for athlete in self._athletes.values() if athlete.due_s is not None]:
                due_s = min(athlete.due_s or 0.0 for athlete in recording)
                await self._clock.sleep(due_s - self._clock.monotonic_s())
                for athlete in recording:
                    if athlete.advance():
                        athlete.close(enqueue=self._enqueue)
            self._begun.clear()

    def close(self) -> None:
        """End every session that there is."""
        for athlete in self._athletes.values():
            athlete.close(enqueue=self._enqueue)


class _AthleteRecorder:
    """One athlete: opens a session when a heart rate comes, and closes it when none has come for long."""

    def __init__(self, athlete: str, journal: Journal, model: WorkoutModel, clock: Clock) -> None:
        self._athlete = athlete
        self._journal = journal
        self._model = model
        self._clock = clock
        self._order: Sequence[str] = ()
        self._arbiters: dict[Quantity, Arbiter] = {}
        self._session: LiveSession | None = None
        self.activity: LiveActivity | None = None

    @property
    def due_s(self) -> float | None:
        """Monotonic time at which the next second is over; None without a session."""
        return None if self._session is None else self._session.due_s

    def arrange(self, order: Sequence[str]) -> None:
        """Take note of the sensors there are, by label, in order of preference."""
        self._order = order
        for arbiter in self._arbiters.values():
            arbiter.order = tuple(order)

    def follow(self, model: ActivityModel) -> None:
        """Recognise activities from now on, where that is not done yet."""
        self.activity = self.activity or LiveActivity(model)

    def sources(self) -> dict[Quantity, str]:
        """By quantity, the label of the sensor that counts."""
        return {quantity: arbiter.winner for quantity, arbiter in self._arbiters.items() if arbiter.winner}

    def take(self, packet: Packet) -> bool:
        """Take a packet; whether a session has begun with it."""
        if packet.sensor.role is not Role.HEART_RATE:
            self._take_loads(packet)
            return False
        if any(isinstance(reading, Acceleration) for reading in packet.readings):
            self._take_acceleration(packet)
            return False
        heart_rate = heart_rate_of(packet.readings)
        good = heart_rate.bpm is not None and packet.signal is SignalState.LIVE
        if not self._counts(Quantity.HEART_RATE, packet, good=good):
            return False
        begins = self._session is None and heart_rate.bpm is not None  # a strap on the table is worth no session
        if begins:
            self._session = LiveSession(
                self._journal, self._model, clock=self._clock, athlete=self._athlete, first_arrival_s=packet.at_s
            )
            log.info("session: begun")
        if self._session is not None:
            self._session.add(heart_rate, packet.at_s)
        return begins

    def _take_loads(self, packet: Packet) -> None:
        for reading in packet.readings:
            load = load_of(reading)
            if load is not None and self._counts(load.quantity, packet, good=True) and self._session is not None:
                self._session.add_load(load)

    def _take_acceleration(self, packet: Packet) -> None:
        # A sensor that nobody wears would tell what a table does.
        if packet.sensor.acceleration is None or self.activity is None or packet.signal is SignalState.NO_CONTACT:
            return
        for samples in packet.readings:
            if isinstance(samples, Acceleration) and self._counts(Quantity.ACCELERATION, packet, good=True):
                placement = packet.sensor.acceleration
                for doing in self.activity.take(samples, sensor=packet.label, placement=placement, at_s=packet.at_s):
                    if self._session is not None:
                        self._session.add_activity(doing)

    def _counts(self, quantity: Quantity, packet: Packet, *, good: bool) -> bool:
        arbiter = self._arbiters.setdefault(quantity, Arbiter(self._order))
        before = arbiter.winner
        counts = arbiter.offer(packet.label, packet.at_s, good=good)
        if arbiter.winner != before:
            log.info("%s: from %s", quantity.value, arbiter.winner)
        return counts

    def advance(self) -> bool:
        """Record the seconds that are over; whether the session is over with them."""
        if self._session is None:
            return False
        self._session.advance()
        return self._session.idle

    def close(self, *, enqueue: bool) -> None:
        """End the session, if there is one."""
        if self._session is None:
            return
        session, self._session = self._session, None
        summary = session.close(enqueue=enqueue)
        if summary is not None:
            log.info("session: closed, %d s recorded", summary.recorded_s)
