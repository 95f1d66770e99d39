"""Dates what was recorded before the device knew the time."""

from __future__ import annotations

import logging

from edge_agent.agent.clock import Clock
from edge_agent.store.journal import Journal

log = logging.getLogger(__name__)

# A network brings the time within seconds of its coming up; to look costs one system call.
CHECK_EVERY_S = 10.0


async def date_when_trusted(journal: Journal, clock: Clock) -> None:
    """Wait until the time is known, then date the sessions of this boot that have no date yet."""
    while not clock.time_trusted():
        await clock.sleep(CHECK_EVERY_S)
    journal.date_sessions(clock.now(), clock.since_boot())
    log.info("clock: the time is known; what was recorded before has its date")
