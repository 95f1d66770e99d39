"""Does what a command says: what it changes and the answer to it are in the journal together, or neither is.

stop, lap, set_target   change the journal: in the transaction that keeps the answer
forget                  deletes the rows in that transaction; the bytes go after it, at the next start if need be
start, sync_now         change nothing that is kept: a start after a crash finds them done
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

import msgspec

from edge_agent.agent.clock import Clock
from edge_agent.agent.recorder import AthleteRecorder, Recorder
from edge_agent.agent.session import LiveSession
from edge_agent.agent.status import FILE_NAME as STATUS
from edge_agent.errors import JournalError
from edge_agent.store.journal import Journal
from edge_agent.sync.commands import (
    SCHEMA,
    Answer,
    Command,
    Forget,
    Lap,
    Refusal,
    RefusedCommandError,
    SetTarget,
    Start,
    Stop,
    SyncNow,
)
from edge_agent.sync.disclosure import Disclosure


class Commander:
    """Obeys."""

    def __init__(
        self,
        journal: Journal,
        recorder: Recorder,
        disclosure: Disclosure,
        clock: Clock,
        *,
        sync_now: Callable[[], None],
    ) -> None:
        """Prepare.

        Args:
            journal: to change.
            recorder: of the sessions.
            disclosure: says what athletes are called on the wire.
            clock: the agent's time.
            sync_now: has what waits sent at once.
        """
        self._journal = journal
        self._recorder = recorder
        self._disclosure = disclosure
        self._clock = clock
        self._sync_now = sync_now

    def obey(self, command: Command) -> None:
        """Do what a command says, and keep the answer.

        Raises:
            RefusedCommandError: it cannot be done; nothing has changed.
            JournalError: the disk cannot be written, or not every byte of an athlete who is forgotten could be deleted.
        """
        if isinstance(command, Forget):
            self._forget(command)
            return
        with self._journal.together():
            session_id = self._change(command)
            self._journal.keep_answer(command.command_id, _done(command, session_id))

    def _change(self, command: Start | Stop | Lap | SetTarget | SyncNow) -> uuid.UUID | None:
        match command:
            case Start():
                self._start(self._recorded(command.athlete))
                return None
            case Stop():
                athlete = self._recorded(command.athlete)
                session = _session_of(athlete)
                athlete.stop()
                return session.uuid
            case Lap():
                athlete = self._recorded(command.athlete)
                session = _session_of(athlete)
                athlete.mark_lap(session)
                return session.uuid
            case SetTarget():
                athlete = self._recorded(command.athlete)
                athlete.set_target(command.heart_rate_bpm)
                self._journal.set_target(athlete.name, command.heart_rate_bpm)
                return None
            case SyncNow():
                self._sync_now()
                return None

    def _start(self, athlete: AthleteRecorder) -> None:
        if athlete.session is not None:
            msg = "a session is recorded; stop it first"
            raise RefusedCommandError(Refusal.ALREADY_RECORDING, msg)
        athlete.start()

    def _forget(self, command: Forget) -> None:
        name = self._name(command.athlete)
        if athlete := self._recorder.athlete(name):
            athlete.discard()
        try:
            self._recorder.forget_learned(name)
            (self._journal.path.parent / STATUS).unlink(missing_ok=True)  # it says who wears what; the next comes soon
        except OSError as error:
            msg = f"what was learned of the athlete could not be deleted ({error}); forget them again"
            raise JournalError(msg) from error
        answer = (command.command_id, _done(command, None))
        self._journal.forget_athlete(name, self._clock.now(), time_trusted=self._clock.time_trusted(), answer=answer)

    def _recorded(self, called: str | None) -> AthleteRecorder:
        """Whom a command is for, who has a sensor."""
        athlete = self._recorder.athlete(self._name(called))
        if athlete is None:
            msg = "no sensor of the device is this athlete's; claim one with `edge-agent pair`"
            raise RefusedCommandError(Refusal.UNKNOWN_ATHLETE, msg)
        return athlete

    def _name(self, called: str | None) -> str:
        if called is None:
            return self._recorder.default_athlete
        known = {self._recorder.default_athlete, *self._recorder.athletes(), *self._journal.athletes()}
        for name in known:
            if self._disclosure.athlete(name) == called:
                return name
        msg = "the device knows nobody who is called so; its messages say how it calls an athlete"
        raise RefusedCommandError(Refusal.UNKNOWN_ATHLETE, msg)


def _session_of(athlete: AthleteRecorder) -> LiveSession:
    if athlete.session is None or not athlete.session.begun:
        msg = "no session is recorded; one begins with a heart rate, after a stop with a start"
        raise RefusedCommandError(Refusal.NO_SESSION, msg)
    return athlete.session


def _done(command: Command, session_id: uuid.UUID | None) -> bytes:
    return msgspec.json.encode(Answer(SCHEMA, command.command_id, done=True, session_id=session_id))
