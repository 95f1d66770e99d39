"""Plays recordings through the agent's pipeline, from the 1 Hz frame on, as fast as it goes."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator

import msgspec

from edge_agent.agent.clock import Clock
from edge_agent.inference.adaptive import Explanation
from edge_agent.inference.forecast import Forecast
from edge_agent.inference.models import RecoveryModel, WorkoutModel
from edge_agent.inference.recovery import Recovery
from edge_agent.recordings.recording import Recording
from edge_agent.store.sessions import NewSession

# Of the UUIDs of replayed sessions.
_NAMESPACE = uuid.UUID("6e5c1a4e-0c4f-4b0e-9d2b-5f1c9d0a7b11")


class ReplayLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """One second of a replay, as `--json` prints it.

    Attributes:
        session: name of the recording.
        t_s: seconds since it began.
        heart_rate_bpm: as recorded; None where missing.
        forecast: seconds ahead to quantiles in bpm; None where there is no forecast.
        recovery: for two minutes after an effort, how it goes on; otherwise left out.
        explanation: where the forecast comes from; left out unless asked for.
    """

    session: str
    t_s: int
    heart_rate_bpm: float | None
    forecast: Forecast
    recovery: Recovery | None = None
    explanation: Explanation | None = None


def replay(
    recording: Recording,
    model: WorkoutModel,
    recovery_model: RecoveryModel,
    athlete: str,
    *,
    learn: bool = True,
    explain: bool = False,
) -> Iterator[ReplayLine]:
    """Forecast every second of a recording, with no knowledge of the ones after it.

    Args:
        recording: to play.
        model: to forecast the workout with.
        recovery_model: to forecast recoveries with.
        athlete: whose recording it is.
        learn: whether what it teaches of the athlete is kept.
        explain: whether each second says where its forecast comes from.
    """
    forecaster = model.begin(athlete, learn=learn)
    recoveries = recovery_model.begin()
    for frame in recording.frames():
        forecast = forecaster.step(frame)
        recovery = recoveries.step(frame)
        explanation = forecaster.explain() if explain else None
        yield ReplayLine(recording.session, frame.t_s, frame.heart_rate_bpm, forecast, recovery, explanation)
    if learn:
        model.athletes.save(athlete)


def new_session(recording: Recording, *, athlete: str, model_version: str, clock: Clock) -> NewSession:
    """A recording as a session of the journal; one athlete's one heart rate has one UUID, whatever the file's name."""
    digest = hashlib.sha256(recording.channels["heart_rate_bpm"].tobytes()).hexdigest()
    return NewSession(
        uuid=uuid.uuid5(_NAMESPACE, f"{athlete}\n{digest}"),
        athlete=athlete,
        started_at=recording.started_at or clock.now(),
        time_trusted=recording.started_at is not None,
        model_version=model_version,
    )
