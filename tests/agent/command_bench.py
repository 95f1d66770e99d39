"""Recorder, journal and commander of one athlete with one strap, on a clock that a test sets."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from edge_agent.agent.commands import Commander
from edge_agent.agent.events import Events
from edge_agent.agent.recorder import AthleteRecorder, Recorder
from edge_agent.config import AgentConfig, AthleteConfig, Role, SensorConfig, Share, StoreConfig
from edge_agent.sensors.links.states import SignalState
from edge_agent.sensors.links.supervisor import Packet
from edge_agent.sensors.profiles.readings import Quantity, Reading
from edge_agent.store.identifiers import uuid7
from edge_agent.store.journal import Journal
from edge_agent.store.messages import Event, Kind
from edge_agent.store.summary import Summary
from edge_agent.sync.commands import Answer, Command
from edge_agent.sync.disclosure import Disclosure
from tests.agent.test_session import SetClock

STRAP = SensorConfig(Role.HEART_RATE, name="Strap", athlete="ada")


@dataclass
class Bench:
    """What obeys.

    Attributes:
        synced: how often what waits was asked to be sent at once.
    """

    journal: Journal
    recorder: Recorder
    clock: SetClock
    synced: int = 0
    disclosure: Disclosure = field(default_factory=lambda: Disclosure(Share.LIVE, b"key"))

    @property
    def ada(self) -> AthleteRecorder:
        """The athlete."""
        athlete = self.recorder.athlete("ada")
        assert athlete is not None
        return athlete

    @property
    def wire_name(self) -> str:
        """What the athlete is called on the wire."""
        return self.disclosure.athlete("ada")

    def new_id(self) -> uuid.UUID:
        return uuid7(self.clock.now())

    def beat(self, seconds: int, bpm: float = 120.0) -> None:
        """Wear the strap."""
        for _ in range(seconds):
            self.clock.now_s += 1
            reading = Reading(Quantity.HEART_RATE, bpm, self.clock.now_s)
            self.recorder.take(Packet(STRAP, "heart_rate 1", (reading,), self.clock.now_s, SignalState.LIVE))
            self.ada.advance()

    def rest(self, seconds: int) -> None:
        """Wear nothing."""
        for _ in range(seconds):
            self.clock.now_s += 1
            self.ada.advance()

    def obey(self, command: Command) -> Answer:
        """Have a command obeyed; the answer that is kept."""
        Commander(self.journal, self.recorder, self.disclosure, self.clock, sync_now=self._sync_now).obey(command)
        kept = self.journal.answer_to(command.command_id)
        assert kept is not None
        return msgspec.json.decode(kept, type=Answer)

    def events(self) -> list[Event]:
        """What waits for the broker, of events."""
        waiting = self.journal.outbox()
        return [msgspec.json.decode(m.payload, type=Event) for m in waiting if m.kind is Kind.EVENT]

    def happened(self) -> list[str]:
        return [event.name for event in self.events()]

    def summaries(self) -> list[Summary]:
        """What waits for the broker, of summaries."""
        waiting = self.journal.outbox()
        return [msgspec.json.decode(m.payload, type=Summary) for m in waiting if m.kind is Kind.SUMMARY]

    def _sync_now(self) -> None:
        self.synced += 1


@contextmanager
def bench(directory: Path, *, told: bool = True, clock: SetClock | None = None) -> Iterator[Bench]:
    """A journal in a folder, and what records to it."""
    clock = clock or SetClock()
    config = AgentConfig(StoreConfig(directory), sensors=(STRAP,), athlete=AthleteConfig("ada"))
    with Journal(directory) as journal:
        recorder = Recorder(config, journal, clock, Events(journal, clock, told=told), enqueue=True)
        recorder.close_interrupted()
        recorder.arrange([("heart_rate 1", STRAP)])
        yield Bench(journal, recorder, clock)
