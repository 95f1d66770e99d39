"""Plays recordings through the agent's pipeline, from the 1 Hz frame on, as fast as it goes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator

import msgspec

from edge_agent.agent.clock import Clock
from edge_agent.inference.bundle import Bundle
from edge_agent.inference.forecast import Forecast, WorkoutForecaster
from edge_agent.inference.runtime import Cell
from edge_agent.recordings.recording import Recording
from edge_agent.store.journal import Journal, NewSession
from edge_agent.store.summary import Second

# A recording is known by its athlete, person and session: kept once, however often it is replayed.
_NAMESPACE = uuid.UUID("6e5c1a4e-0c4f-4b0e-9d2b-5f1c9d0a7b11")


class ReplayLine(msgspec.Struct, frozen=True):
    """One second of a replay, as `--json` prints it.

    Attributes:
        session: name of the recording.
        t_s: seconds since it began.
        heart_rate_bpm: as recorded; None where missing.
        forecast: seconds ahead to quantiles in bpm; None where there is no forecast.
    """

    session: str
    t_s: int
    heart_rate_bpm: float | None
    forecast: Forecast


def replay(recording: Recording, bundle: Bundle, cell: Cell) -> Iterator[Second]:
    """Forecast every second of a recording, with no knowledge of the ones after it."""
    forecaster = WorkoutForecaster(bundle, cell)
    for frame in recording.frames():
        yield Second(frame.t_s, frame.heart_rate_bpm, frame.rr_intervals_ms, forecaster.step(frame))


def keep(
    journal: Journal,
    recording: Recording,
    seconds: Iterable[Second],
    *,
    athlete: str,
    model_version: str,
    clock: Clock,
) -> bool:
    """Record a replayed session in the journal.

    Returns:
        Whether it is new to the journal.
    """
    session = NewSession(
        uuid=uuid.uuid5(_NAMESPACE, f"{athlete}\n{recording.person}\n{recording.session}"),
        athlete=athlete,
        started_at=recording.started_at or clock.now(),
        time_trusted=recording.started_at is not None,
        model_version=model_version,
    )
    if journal.has_session(session.uuid):
        return False
    journal.import_session(session, seconds)
    return True
