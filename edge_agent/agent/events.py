"""What happens while recording, told to the broker where that is wanted."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC

from edge_agent.agent.clock import Clock
from edge_agent.store.identifiers import uuid7
from edge_agent.store.journal import Journal
from edge_agent.store.messages import SCHEMA, Event, EventName

Detail = Mapping[str, str | int | float | bool]


class Events:
    """Queues events for the broker, or does nothing."""

    def __init__(self, journal: Journal, clock: Clock, *, told: bool) -> None:
        """Prepare.

        Args:
            journal: with the outbox.
            clock: the agent's time.
            told: whether events are meant for a broker.
        """
        self._journal = journal
        self._clock = clock
        self._told = told

    def tell(
        self,
        name: EventName,
        athlete: str,
        session_id: uuid.UUID | None,
        t_s: int | None,
        detail: Detail,
    ) -> None:
        """Queue an event.

        Args:
            name: what happened.
            athlete: to whom.
            session_id: UUID of the session it happened in, None outside of any.
            t_s: second of that session.
            detail: more about it.
        """
        if not self._told:
            return
        now = self._clock.now()
        at = now.astimezone(UTC).isoformat(timespec="seconds")
        event_id, trusted = str(uuid7(now)), self._clock.time_trusted()
        session = None if session_id is None else str(session_id)
        self._journal.queue_event(Event(SCHEMA, event_id, 1, athlete, session, t_s, at, trusted, name, dict(detail)))
