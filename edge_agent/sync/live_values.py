"""Live values: the second that was recorded just now, once a second, for whoever looks at that moment."""

from __future__ import annotations

import uuid
from datetime import UTC

import msgspec

from edge_agent.inference.recovery import Recovery
from edge_agent.store.summary import Second
from edge_agent.sync.clock import Clock
from edge_agent.sync.connection import Connection
from edge_agent.sync.disclosure import Disclosure
from edge_agent.sync.live import SCHEMA, Live
from edge_agent.sync.topics import Topics


class LiveValues:
    """Publishes them, each once (QoS 0): without a connection they are gone."""

    def __init__(self, connection: Connection, topics: Topics, disclosure: Disclosure, clock: Clock) -> None:
        """Prepare.

        Args:
            connection: to send over.
            topics: of this device.
            disclosure: says what athletes are called.
            clock: dates them.
        """
        self._connection = connection
        self._topics = topics
        self._disclosure = disclosure
        self._clock = clock
        self._silent: set[str] = set()  # athletes of whom it was told that there is no heart rate

    def show(
        self,
        athlete: str,
        session_id: uuid.UUID | None,
        second: Second | None,
        *,
        activity: str | None,
        recovery: Recovery | None,
    ) -> None:
        """Publish a second.

        Args:
            athlete: whose, as they are called here.
            session_id: UUID of its session, None where none is recorded.
            second: what was recorded, None where nothing was.
            activity: what the athlete does, None where that is not known.
            recovery: how a recovery goes on, None outside of one.
        """
        if second is None or second.heart_rate_bpm is None:
            if athlete in self._silent:
                return
            self._silent.add(athlete)
        else:
            self._silent.discard(athlete)
        called = self._disclosure.athlete(athlete)
        live = self._live(called, session_id, second)
        if live.heart_rate_bpm is not None:
            live = msgspec.structs.replace(live, activity=activity, recovery=recovery)
        self._connection.publish_now(self._topics.live(called), msgspec.json.encode(live))

    def _live(self, called: str, session_id: uuid.UUID | None, second: Second | None) -> Live:
        at = self._clock.now().astimezone(UTC).isoformat(timespec="milliseconds")
        now = Live(SCHEMA, called, at, self._clock.time_trusted(), session_id, None, None, {})
        if second is None:
            return now
        now = msgspec.structs.replace(now, t_s=second.t_s)
        if second.heart_rate_bpm is None:
            return now
        return msgspec.structs.replace(
            now,
            heart_rate_bpm=second.heart_rate_bpm,
            forecast=second.forecast,
            speed_mps=second.speed_mps,
            cadence_rpm=second.cadence_rpm,
            power_w=second.power_w,
        )
