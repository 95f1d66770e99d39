"""What the agent does for its record besides recording: it dates sessions late, and deletes those that are too old."""

from __future__ import annotations

import logging

from edge_agent.agent.clock import Clock
from edge_agent.config import StoreConfig
from edge_agent.store.journal import Journal
from edge_agent.store.retention import Retention

log = logging.getLogger(__name__)

# A network brings the time within seconds of its coming up; to look costs one system call.
CHECK_EVERY_S = 10.0

# An hour of recording is some 2 MB.
RETIRE_EVERY_S = 3600.0


async def date_when_trusted(journal: Journal, clock: Clock) -> None:
    """Wait until the time is known, then date the sessions of this boot that have no date yet."""
    while not clock.time_trusted():
        await clock.sleep(CHECK_EVERY_S)
    journal.date_sessions(clock.now(), clock.since_boot())
    log.info("clock: the time is known")


async def retire_hourly(journal: Journal, clock: Clock, config: StoreConfig) -> None:
    """Delete, at the start and every hour, the sessions that are not to be kept."""
    retention = Retention(config.keep_days, config.keep_mb, config.delete_unsent)
    while True:
        deleted = journal.retire(retention, clock.now() if clock.time_trusted() else None)
        if deleted:
            log.info("journal: %d sessions were past `keep_days` or `keep_mb` and are deleted", deleted)
        await clock.sleep(RETIRE_EVERY_S)
