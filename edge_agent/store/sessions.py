"""The rows of sessions and their seconds. Every function works in the transaction of its caller."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec

from edge_agent import __version__
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.forecast import Forecast, Quantiles
from edge_agent.store.summary import SCHEMA, Second, Summary, activity_seconds, measure_recoveries, score_forecasts

Row = tuple[int | float | str | None, ...]

_COLUMNS = "session_id, t_s, heart_rate_bpm, rr_intervals_ms, forecast, speed_mps, cadence_rpm, power_w, altitude_m"
_ACTIVITY_COLUMNS = "session_id, t_s, label, probability, unknown, cadence_per_min"

_forecast_decoder = msgspec.json.Decoder(dict[int, Quantiles | None])
_rr_decoder = msgspec.json.Decoder(tuple[float, ...])
_summary_decoder = msgspec.json.Decoder(Summary)


@dataclass(frozen=True, slots=True)
class SinceBoot:
    """An instant on the clock that runs from the boot on and that nobody sets.

    Attributes:
        boot_id: random id of the boot, from the kernel.
        elapsed_s: seconds since that boot.
    """

    boot_id: str
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class NewSession:
    """What is known of a session when it begins.

    Attributes:
        uuid: its identity, wherever it is sent.
        athlete: label of who is recorded.
        started_at: wall time, with a time zone.
        time_trusted: whether the wall clock had been set then.
        model_version: of the workout model that forecasts in it.
        boot: when it began, so that it can be dated once the time is known; None when it is not recorded live.
    """

    uuid: uuid.UUID
    athlete: str
    started_at: datetime
    time_trusted: bool
    model_version: str
    boot: SinceBoot | None = None


def insert_session(db: sqlite3.Connection, session_id: int, session: NewSession, *, historical: bool) -> None:
    """Begin a session."""
    boot_id, since_boot_s = (session.boot.boot_id, session.boot.elapsed_s) if session.boot else (None, None)
    db.execute(
        "INSERT INTO session (id, uuid, athlete, started_at, time_trusted, boot_id, since_boot_s, model_version,"
        " historical) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session_id,
            str(session.uuid),
            session.athlete,
            _iso(session.started_at),
            session.time_trusted,
            boot_id,
            since_boot_s,
            session.model_version,
            historical,
        ),
    )


def ensure_session(db: sqlite3.Connection, session_id: int, session: NewSession) -> None:
    """Begin a session again whose row was lost with a part of the journal, its seconds or not."""
    if db.execute("SELECT 1 FROM session WHERE id = ? AND uuid = ?", (session_id, str(session.uuid))).fetchone():
        return
    found = db.execute(
        "UPDATE session SET uuid = ?, athlete = ?, started_at = ?, model_version = ? WHERE id = ?",
        (str(session.uuid), session.athlete, _iso(session.started_at), session.model_version, session_id),
    )
    if not found.rowcount:
        insert_session(db, session_id, session, historical=False)


@dataclass(frozen=True, slots=True)
class Rows:
    """Seconds as the tables have them.

    Attributes:
        seconds: in the order of _COLUMNS.
        activities: in the order of _ACTIVITY_COLUMNS.
    """

    seconds: list[Row]
    activities: list[Row]


def rows_of(session_id: int, seconds: Iterable[Second]) -> Rows:
    """The rows of further seconds of a session; forecasts are kept to 0.01 bpm."""
    rows = Rows([], [])
    for s in seconds:
        rows.seconds.append(
            (
                session_id,
                s.t_s,
                s.heart_rate_bpm,
                msgspec.json.encode(s.rr_intervals_ms).decode() if s.rr_intervals_ms else None,
                msgspec.json.encode(_rounded(s.forecast)).decode() if any(s.forecast.values()) else None,
                s.speed_mps,
                s.cadence_rpm,
                s.power_w,
                s.altitude_m,
            )
        )
        if s.activity:
            rows.activities.append((session_id, s.t_s, *msgspec.structs.astuple(s.activity)))
    return rows


def _rounded(forecast: Forecast) -> Forecast:
    """To 0.01 bpm, a hundredth of what the forecasts are off: a second takes 180 bytes instead of 300."""
    return {
        horizon_s: quantiles and Quantiles(round(quantiles.q10, 2), round(quantiles.q50, 2), round(quantiles.q90, 2))
        for horizon_s, quantiles in forecast.items()
    }


def insert_seconds(db: sqlite3.Connection, rows: Rows) -> None:
    """Record seconds."""
    for table, columns, found in (("second", _COLUMNS, rows.seconds), ("activity", _ACTIVITY_COLUMNS, rows.activities)):
        marks = ", ".join("?" * len(columns.split()))
        db.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", found)  # noqa: S608 - of our own


def read_seconds(db: sqlite3.Connection, session_id: int) -> list[Second]:
    """All recorded seconds of a session, in order."""
    activities = {
        t_s: CurrentActivity(label, probability, bool(unknown), cadence_per_min)
        for _, t_s, label, probability, unknown, cadence_per_min in db.execute(
            f"SELECT {_ACTIVITY_COLUMNS} FROM activity WHERE session_id = ?",  # noqa: S608 - of our own
            (session_id,),
        )
    }
    return [
        Second(
            t_s,
            heart_rate_bpm,
            _rr_decoder.decode(rr_intervals_ms) if rr_intervals_ms else (),
            _forecast_decoder.decode(forecast) if forecast else {},
            *loads,
            activity=activities.get(t_s),  # type: ignore[misc] # no fifth load
        )
        for _, t_s, heart_rate_bpm, rr_intervals_ms, forecast, *loads in db.execute(
            f"SELECT {_COLUMNS} FROM second WHERE session_id = ? ORDER BY t_s",  # noqa: S608 - of our own
            (session_id,),
        )
    ]


def close_session(db: sqlite3.Connection, session_id: int, *, interrupted: bool) -> Summary:
    """Summarise a session from its recorded seconds; that closes it."""
    summary = _summarise(db, session_id, interrupted=interrupted)
    _store_summary(db, session_id, summary)
    return summary


def date_sessions(db: sqlite3.Connection, now: datetime, since_boot: SinceBoot) -> list[int]:
    """Date the sessions of this boot that began before the time was known; a summary gets a new revision.

    Args:
        db: the journal.
        now: wall time, trusted.
        since_boot: the same instant, counted from the boot on.

    Returns:
        The ids of those that are closed already.
    """
    closed = []
    rows = db.execute(
        "SELECT id, since_boot_s, summary FROM session WHERE boot_id = ? AND NOT time_trusted ORDER BY id",
        (since_boot.boot_id,),
    ).fetchall()
    for session_id, since_boot_s, encoded in rows:
        started_at = _iso(now - timedelta(seconds=since_boot.elapsed_s - since_boot_s))
        db.execute("UPDATE session SET started_at = ?, time_trusted = 1 WHERE id = ?", (started_at, session_id))
        if encoded is not None:
            summary = _summary_decoder.decode(encoded)
            dated = msgspec.structs.replace(
                summary, started_at=started_at, time_trusted=True, revision=summary.revision + 1
            )
            _store_summary(db, session_id, dated)
            closed.append(session_id)
    return closed


def _store_summary(db: sqlite3.Connection, session_id: int, summary: Summary) -> None:
    db.execute(
        "UPDATE session SET summary = ?, revision = ? WHERE id = ?",
        (msgspec.json.encode(summary), summary.revision, session_id),
    )


def _summarise(db: sqlite3.Connection, session_id: int, *, interrupted: bool) -> Summary:
    session_uuid, athlete, started_at, time_trusted, model_version, historical, revision = db.execute(
        "SELECT uuid, athlete, started_at, time_trusted, model_version, historical, revision FROM session WHERE id = ?",
        (session_id,),
    ).fetchone()
    seconds = read_seconds(db, session_id)
    measured = [s.heart_rate_bpm for s in seconds if s.heart_rate_bpm is not None]
    return Summary(
        schema=SCHEMA,
        session_id=session_uuid,
        revision=revision + 1,
        historical=bool(historical),
        athlete=athlete,
        started_at=started_at,
        time_trusted=bool(time_trusted),
        interrupted=interrupted,
        duration_s=max((s.t_s + 1 for s in seconds if s.heart_rate_bpm is not None), default=0),
        recorded_s=len(measured),
        heart_rate_min_bpm=min(measured, default=None),
        heart_rate_mean_bpm=round(sum(measured) / len(measured), 2) if measured else None,
        heart_rate_max_bpm=max(measured, default=None),
        rr_interval_count=sum(len(s.rr_intervals_ms) for s in seconds),
        forecast=score_forecasts(seconds),
        model_version=model_version,
        agent_version=__version__,
        activity_s=activity_seconds(seconds),
        lap_ends_s=tuple(
            t_s for (t_s,) in db.execute("SELECT t_s FROM lap WHERE session_id = ? ORDER BY t_s", (session_id,))
        ),
        recoveries=measure_recoveries(seconds),
    )


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
