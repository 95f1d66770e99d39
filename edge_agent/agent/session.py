"""A live session: measurements in, seconds journalled, a summary at the end."""

from __future__ import annotations

from collections import deque
from uuid import UUID

from edge_agent.agent.clock import Clock
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.models import DEFAULT_TARGET_BPM, RecoveryModel, WorkoutModel
from edge_agent.inference.recovery import Recovery
from edge_agent.sensors.profiles.readings import Reading
from edge_agent.signals.alignment import HeartRate, SecondGrid
from edge_agent.store.identifiers import uuid7
from edge_agent.store.journal import Journal
from edge_agent.store.sessions import NewSession
from edge_agent.store.summary import Second, Summary, second_of

# A red light or a lost strap is a pause of the same session, a shower is its end.
IDLE_S = 300

# What is learned of the athlete is kept this often: a crash costs five minutes of it. The file is 50 kB, with loads
# 150 kB at most, so an hour of training writes less than 2 MB of the whole (docs/durability.md).
SAVE_S = 300

# Of activities, one comes in five seconds, and one can be recorded a second. A link that hung for its supervision
# timeout, 32 s at most, brings seven at once; more would be made up, and the oldest go.
WAITING_ACTIVITIES = 8


class LiveSession:
    """From the first heart rate to the last; its row in the journal begins with its first second.

    Attributes:
        recorded_s: seconds with a heart rate.
        recovery: how the recovery from an effort goes on; None outside of recoveries, and without a heart rate.
    """

    def __init__(
        self,
        journal: Journal,
        model: WorkoutModel,
        recovery_model: RecoveryModel,
        *,
        clock: Clock,
        athlete: str,
        first_arrival_s: float,
    ) -> None:
        self._journal = journal
        self._model = model
        self._clock = clock
        self._athlete = athlete
        self._forecaster = model.begin(athlete)
        self._recoveries = recovery_model.begin(journal.targets().get(athlete))
        self.recovery: Recovery | None = None
        self._grid = SecondGrid(first_arrival_s)
        now = clock.now()
        self._session = NewSession(
            uuid=uuid7(now),
            athlete=athlete,
            started_at=now,
            time_trusted=clock.time_trusted(),
            model_version=model.version,
            boot=clock.since_boot(),
        )
        self._activities: deque[CurrentActivity] = deque(maxlen=WAITING_ACTIVITIES)
        self._row: int | None = None
        self._laps = 0
        self._idle_s = 0
        self.recorded_s = 0
        self._unsaved_s = 0

    @property
    def uuid(self) -> UUID:
        """Its identity, wherever it is sent."""
        return self._session.uuid

    @property
    def begun(self) -> bool:
        """Whether its first second is over."""
        return self._row is not None

    @property
    def t_s(self) -> int:
        """The second that is not over yet."""
        return self._grid.t_s

    @property
    def due_s(self) -> float:
        """Monotonic time at which the next second is over."""
        return self._grid.due_s

    @property
    def idle(self) -> bool:
        """Whether there has been no heart rate for so long that the session is over."""
        return self._idle_s >= IDLE_S

    def add(self, heart_rate: HeartRate, at_s: float) -> None:
        """Take a heart rate."""
        self._grid.add(heart_rate, at_s)

    def add_load(self, load: Reading) -> None:
        """Take a value of a load, as `load_of` gives it."""
        self._grid.add_load(load)

    def add_activity(self, doing: CurrentActivity) -> None:
        """Take the answer to a window of acceleration; it is recorded with the next second that has none yet."""
        self._activities.append(doing)

    def aim_at(self, target_bpm: float | None) -> None:
        """Tell the time of recovery until another heart rate from now on; None: until the usual one."""
        self._recoveries.aim_at(target_bpm or DEFAULT_TARGET_BPM)

    def mark_lap(self) -> int:
        """End a lap with the second that is not over yet; only once the session has begun.

        Returns:
            Number of the lap, from 1 on.
        """
        if self._row is not None:
            self._journal.mark_lap(self._row, self.t_s)
            self._laps += 1
        return self._laps

    def advance(self) -> list[Second]:
        """Forecast and journal every second that is over, and give them."""
        seconds: list[Second] = []
        while self._grid.due_s <= self._clock.monotonic_s() and not self.idle:
            frame = self._grid.next_frame()
            forecast = self._forecaster.step(frame)
            self.recovery = self._recoveries.step(frame)
            seconds.append(second_of(frame, forecast, self._activities.popleft() if self._activities else None))
            self._idle_s = 0 if frame.heart_rate_bpm is not None else self._idle_s + 1
            self.recorded_s += frame.heart_rate_bpm is not None
        if not seconds:
            return seconds
        if self._row is None:
            self._row = self._journal.open_session(self._session, seconds)
        else:
            self._journal.accept(self._row, seconds)
        self._unsaved_s += len(seconds)
        if self._unsaved_s >= SAVE_S:
            self._model.athletes.save(self._athlete)
            self._unsaved_s = 0
        return seconds

    def close(self, *, enqueue: bool) -> Summary | None:
        """End the session and keep what was learned in it.

        Returns:
            The summary; None when it did not last a second, or is made later (`Journal.close_session`).
        """
        self.advance()
        self._model.athletes.save(self._athlete)
        if self._row is None:
            return None
        return self._journal.close_session(self._row, interrupted=False, enqueue=enqueue)
