"""Records every athlete's sensors: which of them counts, and from when to when there is a session."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from edge_agent.agent.activity import LiveActivity
from edge_agent.agent.arbitration import Arbiter
from edge_agent.agent.clock import Clock
from edge_agent.agent.events import Detail, Events
from edge_agent.agent.session import IDLE_S, LiveSession
from edge_agent.agent.target import Target
from edge_agent.config import AgentConfig, Role, SensorConfig
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.models import ActivityModel, RecoveryModel, WorkoutModel
from edge_agent.inference.recovery import Recovery
from edge_agent.sensors.links.states import SignalState
from edge_agent.sensors.links.supervisor import Packet
from edge_agent.sensors.profiles.readings import Acceleration, Quantity
from edge_agent.signals.alignment import heart_rate_of, load_of
from edge_agent.store.journal import Journal
from edge_agent.store.messages import EventName
from edge_agent.store.summary import Second

log = logging.getLogger(__name__)


class OnSecond(Protocol):
    """Is told how it is with an athlete."""

    def __call__(
        self,
        athlete: str,
        session_id: UUID | None,
        second: Second | None,
        *,
        activity: str | None,
        recovery: Recovery | None,
    ) -> None:
        """Take the last second of a session, or that there is none; what is done, and how a recovery goes on."""


class Recorder:
    """Gives each packet to the athlete whose sensor sent it, and advances every session, second by second."""

    def __init__(self, config: AgentConfig, journal: Journal, clock: Clock, events: Events, *, enqueue: bool) -> None:
        """Open the models.

        Args:
            config: whose sensors there are, and where the record is.
            journal: to record in.
            clock: the agent's time.
            events: told what happens.
            enqueue: whether summaries are meant for a broker.
        """
        self._default_athlete = config.athlete.name
        self._journal = journal
        self._enqueue = enqueue
        self._clock = clock
        self._events = events
        self._when_second: list[OnSecond] = []
        self._cache = config.store.directory
        self._model = WorkoutModel(config.store.directory, cache=self._cache)
        self._recovery_model = RecoveryModel(cache=self._cache)
        self._activity_model: ActivityModel | None = None
        self._athletes: dict[str, AthleteRecorder] = {}
        self._begun = asyncio.Event()
        log.info("model: workout %s, %s", self._model.version, self._model.form)

    def close_interrupted(self) -> None:
        """Close what an earlier run could not."""
        if not self._journal.writable:  # then it does not show all that is closed already
            return
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
                self._athletes[athlete] = AthleteRecorder(
                    athlete,
                    self._journal,
                    self._model,
                    self._recovery_model,
                    clock=self._clock,
                    events=self._events,
                    enqueue=self._enqueue,
                    show=self._show,
                )
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

    def recoveries(self) -> dict[str, Recovery]:
        """By athlete who recovers from an effort, how that goes on."""
        return {name: athlete.recovery for name, athlete in self._athletes.items() if athlete.recovery is not None}

    def when_second(self, callback: OnSecond) -> None:
        """Have `callback` called with the last second of an athlete that was recorded, or that there is none now."""
        self._when_second.append(callback)

    @property
    def default_athlete(self) -> str:
        """Who wears the sensors that name nobody."""
        return self._default_athlete

    def athlete(self, name: str) -> AthleteRecorder | None:
        """What records an athlete; None where no sensor is theirs."""
        return self._athletes.get(name)

    def athletes(self) -> list[str]:
        """Athletes who have sensors."""
        return list(self._athletes)

    def forget_learned(self, name: str) -> None:
        """Delete what was learned of an athlete."""
        self._model.athletes.forget(name)

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
                    athlete.advance()
            self._begun.clear()

    def _show(self, athlete: AthleteRecorder) -> None:
        doing = athlete.activity and athlete.activity.latest(self._clock.monotonic_s())
        label = doing.label if doing and not doing.unknown else None
        session_id = athlete.session.uuid if athlete.session else None
        for callback in self._when_second:
            callback(athlete.name, session_id, athlete.latest, activity=label, recovery=athlete.recovery)

    def close(self) -> None:
        """End every session that there is."""
        for athlete in self._athletes.values():
            athlete.close()


class AthleteRecorder:
    """One athlete: opens a session when a heart rate comes, and closes it when none has come for long.

    Attributes:
        name: of the athlete.
        session: the one that is recorded; None between two.
        latest: its last second; None without one.
        activity: what follows the acceleration; None where no sensor streams it.
        target: heart rate to come down to.
    """

    def __init__(
        self,
        name: str,
        journal: Journal,
        model: WorkoutModel,
        recovery_model: RecoveryModel,
        *,
        clock: Clock,
        events: Events,
        enqueue: bool,
        show: Callable[[AthleteRecorder], None],
    ) -> None:
        self.name = name
        self._journal = journal
        self._events = events
        self._enqueue = enqueue
        self._show = show
        self._model = model
        self._recovery_model = recovery_model
        self._clock = clock
        self._order: Sequence[str] = ()
        self._arbiters: dict[Quantity, Arbiter] = {}
        self._stopped = False  # by somebody: no session begins by itself
        self._heart_rate_s = clock.monotonic_s()  # when the last one came while stopped
        self.session: LiveSession | None = None
        self.latest: Second | None = None
        self.activity: LiveActivity | None = None
        self.target = Target(journal.targets().get(name))

    @property
    def due_s(self) -> float | None:
        """Monotonic time at which the next second is over; None without a session."""
        return None if self.session is None else self.session.due_s

    @property
    def recovery(self) -> Recovery | None:
        """How the recovery from an effort goes on; None outside of recoveries, and without a heart rate."""
        return None if self.session is None else self.session.recovery

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
        if heart_rate.bpm is not None:  # a strap on the table is worth no session
            self._resume_after_pause(packet.at_s)
        begins = self.session is None and not self._stopped and heart_rate.bpm is not None
        if begins:
            self.session = LiveSession(
                self._journal,
                self._model,
                self._recovery_model,
                clock=self._clock,
                athlete=self.name,
                first_arrival_s=packet.at_s,
            )
            log.info("session: begun")
        if self.session is not None:
            self.session.add(heart_rate, packet.at_s)
        return begins

    def _take_loads(self, packet: Packet) -> None:
        for reading in packet.readings:
            load = load_of(reading)
            if load is not None and self._counts(load.quantity, packet, good=True) and self.session is not None:
                self.session.add_load(load)

    def _take_acceleration(self, packet: Packet) -> None:
        # A sensor that nobody wears would tell what a table does.
        if packet.sensor.acceleration is None or self.activity is None or packet.signal is SignalState.NO_CONTACT:
            return
        for samples in packet.readings:
            if isinstance(samples, Acceleration) and self._counts(Quantity.ACCELERATION, packet, good=True):
                placement = packet.sensor.acceleration
                for doing in self.activity.take(samples, sensor=packet.label, placement=placement, at_s=packet.at_s):
                    if self.session is not None:
                        self.session.add_activity(doing)

    def _counts(self, quantity: Quantity, packet: Packet, *, good: bool) -> bool:
        arbiter = self._arbiters.setdefault(quantity, Arbiter(self._order))
        before = arbiter.winner
        counts = arbiter.offer(packet.label, packet.at_s, good=good)
        if arbiter.winner != before:
            log.info("%s: from %s", quantity.value, arbiter.winner)
        return counts

    def advance(self) -> None:
        """Record the seconds that are over, and end the session when it is over with them."""
        self._record()
        if self.session and self.session.idle:
            self.close()

    def _record(self) -> None:
        if self.session is None:
            return
        begun = self.session.begun
        with self._journal.together():
            seconds = self.session.advance()
            if self.session.begun and not begun:
                self._tell("session_started", self.session, 0)
            for second in seconds:
                if self.target.reached(second.heart_rate_bpm):
                    detail = {"target_bpm": self.target.heart_rate_bpm or 0.0}
                    self._tell("target_reached", self.session, second.t_s, detail)
        if seconds:
            self.latest = seconds[-1]
            self._show(self)

    def close(self) -> None:
        """End the session, if there is one."""
        self._record()
        if self.session is None:
            return
        session, self.session, self.latest = self.session, None, None
        with self._journal.together():
            if session.begun:
                self._tell("session_ended", session, session.t_s - 1)
            session.close(enqueue=self._enqueue)
        self._show(self)
        log.info("session: closed, %d s recorded", session.recorded_s)

    def stop(self) -> None:
        """End the session; none begins before `start`, or before there was no heart rate for as long as ends one."""
        self.close()
        self._stop()

    def discard(self) -> None:
        """Drop the session, as if it had never been, and stop; its rows are deleted elsewhere."""
        self.session = self.latest = None
        self._show(self)
        self._stop()

    def start(self) -> None:
        """Have the next heart rate begin a session."""
        self._stopped = False

    def set_target(self, heart_rate_bpm: float | None) -> None:
        """Set the heart rate to come down to after an effort; None takes it away."""
        self.target = Target(heart_rate_bpm)
        if self.session is not None:
            self.session.aim_at(heart_rate_bpm)

    def mark_lap(self, session: LiveSession) -> None:
        """End a lap of the session."""
        self._tell("lap", session, session.t_s, {"lap": session.mark_lap()})

    def _stop(self) -> None:
        self._stopped, self._heart_rate_s = True, self._clock.monotonic_s()

    def _resume_after_pause(self, at_s: float) -> None:
        if self._stopped and at_s - self._heart_rate_s >= IDLE_S:
            self._stopped = False
        self._heart_rate_s = at_s

    def _tell(self, name: EventName, session: LiveSession, t_s: int, detail: Detail | None = None) -> None:
        self._events.tell(name, self.name, session.uuid, t_s, detail or {})
