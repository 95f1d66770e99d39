"""Sessions and seconds as the agent makes them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.forecast import Quantiles
from edge_agent.store.journal import Journal
from edge_agent.store.sessions import NewSession, SinceBoot
from edge_agent.store.summary import Second, Summary

STARTED_AT = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)


def new_session(athlete: str = "ada", *, boot: SinceBoot | None = None, time_trusted: bool = True) -> NewSession:
    return NewSession(uuid.uuid4(), athlete, STARTED_AT, time_trusted=time_trusted, model_version="0.1.0", boot=boot)


def summarised(journal: Journal, session_id: int, *, interrupted: bool = False) -> Summary:
    """Close a session, on a disk that can be written, and queue its summary."""
    summary = journal.close_session(session_id, interrupted=interrupted, enqueue=True)
    assert summary is not None
    return summary


def second(t_s: int, heart_rate_bpm: float | None = 120.0) -> Second:
    forecast = {10: Quantiles(118.0, 121.5, 125.0), 30: Quantiles(115.0, 123.0, 131.0), 60: None}
    doing = CurrentActivity("run", 0.9731, unknown=False, cadence_per_min=162.4) if t_s % 5 == 0 else None
    return Second(t_s, heart_rate_bpm, (500.0, 498.046875), forecast, activity=doing)
