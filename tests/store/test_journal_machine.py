"""The journal against a model of it, through any order of recording, sending, dating, kills and restarts."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from edge_agent.store.database import FILE_NAME
from edge_agent.store.journal import Journal
from edge_agent.store.messages import Event, Kind
from edge_agent.store.sessions import SinceBoot
from edge_agent.store.summary import Summary
from tests.store.samples import STARTED_AT, new_session, second

ATHLETES = st.sampled_from(["ada", "grace"])
BOOT = "boot"
TRUSTED_FROM_S = 1000.0
NOW = STARTED_AT + timedelta(days=1000)


@dataclass(slots=True)
class ModelSession:
    athlete: str
    seconds: int
    dated: bool
    closed: bool = False
    queued: bool = False
    revision: int = 0


@dataclass(slots=True)
class Model:
    """What the journal has to hold: sessions by id, and the queue as (kind, athlete, session or event)."""

    sessions: dict[int, ModelSession] = field(default_factory=dict)
    queue: list[tuple[Kind, str, int]] = field(default_factory=list)

    def queue_summary(self, number: int) -> None:
        entry = (Kind.SUMMARY, self.sessions[number].athlete, number)
        self.queue = [*(e for e in self.queue if e != entry), entry]


class JournalMachine(RuleBasedStateMachine):
    """Each rule does the same to both."""

    begun = Bundle("begun")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir="/dev/shm"))  # in memory, where syncing is free
        self.starts = 0
        self.events = 0
        self.model = Model()
        self.directory = self.root / "0"
        self.journal = Journal(self.directory)

    @rule(target=begun, athlete=ATHLETES, dated=st.booleans())
    def open_session(self, athlete: str, *, dated: bool) -> int:
        new = new_session(athlete, boot=SinceBoot(BOOT, float(len(self.model.sessions))), time_trusted=dated)
        number = self.journal.open_session(new, [second(0)])
        assert number not in self.model.sessions
        self.model.sessions[number] = ModelSession(athlete, 1, dated)
        return number

    @rule(number=begun, count=st.integers(1, 5))
    def accept(self, number: int, count: int) -> None:
        session = self.model.sessions.get(number)
        if session and not session.closed:  # forgotten, and its id given away again
            self.journal.accept(number, [second(session.seconds + i) for i in range(count)])
            session.seconds += count

    @rule(number=consumes(begun), interrupted=st.booleans(), enqueue=st.booleans())
    def close_session(self, number: int, *, interrupted: bool, enqueue: bool) -> None:
        session = self.model.sessions.get(number)
        if session and not session.closed:
            summary = self.journal.close_session(number, interrupted=interrupted, enqueue=enqueue)
            assert summary is not None
            assert (summary.recorded_s, summary.interrupted) == (session.seconds, interrupted)
            session.closed, session.queued, session.revision = True, enqueue, 1
            if enqueue:
                self.model.queue_summary(number)

    @rule(athlete=ATHLETES)
    def queue_event(self, athlete: str) -> None:
        self.events += 1
        name, at = str(self.events), "2026-03-01T07:30:00+00:00"
        self.journal.queue_event(Event(2, name, 1, athlete, None, None, at, time_trusted=True, name="lap", detail={}))
        self.model.queue.append((Kind.EVENT, athlete, self.events))

    @rule(position=st.integers(0, 3))
    def acknowledge(self, position: int) -> None:
        messages = self.journal.outbox()
        if position < len(messages):
            self.journal.acknowledge(messages[position].id)
            del self.model.queue[position]

    @rule()
    def date(self) -> None:
        self.journal.date_sessions(NOW, SinceBoot(BOOT, TRUSTED_FROM_S))
        for number, session in self.model.sessions.items():
            if not session.dated:
                session.dated = True
                session.revision += session.closed
                if session.queued:
                    self.model.queue_summary(number)

    @rule(athlete=ATHLETES)
    def forget(self, athlete: str) -> None:
        forgotten = self.journal.forget_athlete(athlete, NOW, time_trusted=True)
        mine = [n for n, session in self.model.sessions.items() if session.athlete == athlete]
        assert forgotten.sessions == len(mine)
        for number in mine:
            del self.model.sessions[number]
        self.model.queue = [e for e in self.model.queue if e[1] != athlete or e[0] is Kind.TOMBSTONE]
        if forgotten.tombstone:
            self.model.queue.append((Kind.TOMBSTONE, athlete, 0))

    @rule()
    def stop_and_start(self) -> None:
        self.journal.close()
        self.journal = Journal(self.directory)

    @rule()
    def kill_and_start(self) -> None:
        """What a killed process leaves: its files as they are at that moment, without the log's index."""
        self.starts += 1
        left = self.root / str(self.starts)
        left.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(self.directory / f"{FILE_NAME}{suffix}", left)
        self.journal.close()
        self.directory = left
        self.journal = Journal(left)

    @invariant()
    def sessions_are_the_same(self) -> None:
        for number, session in self.model.sessions.items():
            assert [s.t_s for s in self.journal.seconds(number)] == list(range(session.seconds))
        still_open = [number for number, session in self.model.sessions.items() if not session.closed]
        assert self.journal.open_sessions() == still_open

    @invariant()
    def the_queue_is_the_same(self) -> None:
        messages = self.journal.outbox()
        assert [(m.kind, m.athlete) for m in messages] == [entry[:2] for entry in self.model.queue]
        for message, (kind, _, number) in zip(messages, self.model.queue, strict=True):
            if kind is Kind.SUMMARY:
                summary = msgspec.json.decode(message.payload, type=Summary)
                session = self.model.sessions[number]
                assert (summary.revision, summary.time_trusted) == (session.revision, session.dated)
            elif kind is Kind.EVENT:
                assert msgspec.json.decode(message.payload, type=Event).event_id == str(number)

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.root)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
