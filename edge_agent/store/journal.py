"""The journal: one SQLite file that holds every recorded second and every summary not yet sent.

Each `accept` is one committed transaction, with the write-ahead log synced to the disk before it returns
(`synchronous=FULL`): what was accepted survives a crash and a power cut.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Self

import msgspec

from edge_agent import __version__
from edge_agent.errors import JournalError
from edge_agent.inference.forecast import Quantiles
from edge_agent.store.summary import SCHEMA, Second, Summary, score_forecasts

FILE_NAME = "journal.sqlite3"
SCHEMA_VERSION = 1

_forecast_decoder = msgspec.json.Decoder(dict[int, Quantiles | None])
_rr_decoder = msgspec.json.Decoder(tuple[float, ...])


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A summary that waits for the broker.

    Attributes:
        id: of its row; ascending in the order of closing.
        payload: JSON of a `Summary`.
    """

    id: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class NewSession:
    """What is known of a session when it begins.

    Attributes:
        uuid: its identity, wherever it is sent.
        athlete: label of who is recorded.
        started_at: wall time, with a time zone.
        time_trusted: whether the wall clock had been set then.
        model_version: of the workout model that forecasts in it.
    """

    uuid: uuid.UUID
    athlete: str
    started_at: datetime
    time_trusted: bool
    model_version: str


class Journal:
    """One device's record. Only one process at a time may have it open; others may read the file with SQLite."""

    def __init__(self, directory: Path) -> None:
        """Open the journal in `directory`, making both when missing.

        Raises:
            JournalError: another agent has it open, or it cannot be opened; the message names the remedy.
        """
        self.path = directory / FILE_NAME
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            msg = (
                f"{directory}: cannot hold the journal ({error.strerror}); name a writable folder in [store] directory"
            )
            raise JournalError(msg) from error
        try:
            self._db = self._open()
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self) -> sqlite3.Connection:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # SQLite gives its log and shared-memory files the mode of the database: nobody else reads health data.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            db = sqlite3.connect(self.path, isolation_level=None)
        except BlockingIOError as error:
            msg = f"{self.path}: another agent is recording here; stop it or name another folder in [store] directory"
            raise JournalError(msg) from error
        except (OSError, sqlite3.Error) as error:
            msg = f"{self.path}: cannot be opened ({error}); name a writable folder in [store] directory"
            raise JournalError(msg) from error
        try:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            self._ensure_schema(db)
        except sqlite3.Error as error:
            db.close()
            msg = f"{self.path}: is no journal ({error}); move the file aside, a new one is made at the next start"
            raise JournalError(msg) from error
        except JournalError:
            db.close()
            raise
        return db

    def _ensure_schema(self, db: sqlite3.Connection) -> None:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0:
            script = files("edge_agent.store").joinpath("schema.sql").read_text(encoding="utf-8")
            db.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version={SCHEMA_VERSION};")
            db.execute("INSERT INTO device (id) VALUES (?)", (str(uuid.uuid4()),))
            db.execute("COMMIT")
        elif version != SCHEMA_VERSION:
            msg = f"{self.path}: written by a newer heartline (schema {version}); upgrade heartline"
            raise JournalError(msg)

    def close(self) -> None:
        """Close the file and let others open it."""
        self._db.close()
        os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it ends."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            msg = f"{self.path}: cannot be written ({error}); check that the disk is neither full nor read-only"
            raise JournalError(msg) from error
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @property
    def device_id(self) -> str:
        """Random UUID of this device."""
        (device_id,) = self._db.execute("SELECT id FROM device").fetchone()
        return str(device_id)

    def has_session(self, session_uuid: uuid.UUID) -> bool:
        """Whether the journal knows a session."""
        return self._db.execute("SELECT 1 FROM session WHERE uuid = ?", (str(session_uuid),)).fetchone() is not None

    def open_session(self, session: NewSession, seconds: Iterable[Second]) -> int:
        """Begin a session with its first seconds, so that no session is without any.

        Returns:
            The id of its row.
        """
        with self._transaction():
            return self._insert_session(session, seconds)

    def import_session(self, session: NewSession, seconds: Iterable[Second]) -> Summary:
        """Record a session that is over already; nothing of it is queued for the broker."""
        with self._transaction():
            return self._store_summary(self._insert_session(session, seconds), interrupted=False, enqueue=False)

    def _insert_session(self, session: NewSession, seconds: Iterable[Second]) -> int:
        cursor = self._db.execute(
            "INSERT INTO session (uuid, athlete, started_at, time_trusted, model_version) VALUES (?, ?, ?, ?, ?)",
            (
                str(session.uuid),
                session.athlete,
                session.started_at.astimezone(UTC).isoformat(timespec="seconds"),
                session.time_trusted,
                session.model_version,
            ),
        )
        row = int(cursor.lastrowid or 0)
        self._insert(row, seconds)
        return row

    def accept(self, session_id: int, seconds: Iterable[Second]) -> None:
        """Record further seconds of an open session; they are on the disk when this returns."""
        with self._transaction():
            self._insert(session_id, seconds)

    def _insert(self, session_id: int, seconds: Iterable[Second]) -> None:
        self._db.executemany(
            "INSERT INTO second (session_id, t_s, heart_rate_bpm, rr_intervals_ms, forecast) VALUES (?, ?, ?, ?, ?)",
            (
                (
                    session_id,
                    s.t_s,
                    s.heart_rate_bpm,
                    msgspec.json.encode(s.rr_intervals_ms).decode() if s.rr_intervals_ms else None,
                    msgspec.json.encode(s.forecast).decode() if any(s.forecast.values()) else None,
                )
                for s in seconds
            ),
        )

    def seconds(self, session_id: int) -> list[Second]:
        """All recorded seconds of a session, in order."""
        return [
            Second(
                t_s,
                heart_rate_bpm,
                _rr_decoder.decode(rr_intervals_ms) if rr_intervals_ms else (),
                _forecast_decoder.decode(forecast) if forecast else {},
            )
            for t_s, heart_rate_bpm, rr_intervals_ms, forecast in self._db.execute(
                "SELECT t_s, heart_rate_bpm, rr_intervals_ms, forecast FROM second WHERE session_id = ? ORDER BY t_s",
                (session_id,),
            )
        ]

    def open_sessions(self) -> list[int]:
        """Sessions that were begun and not closed."""
        return [row[0] for row in self._db.execute("SELECT id FROM session WHERE summary IS NULL ORDER BY id")]

    def close_session(self, session_id: int, *, interrupted: bool, enqueue: bool) -> Summary:
        """Close a session: its summary is stored and, when asked for, queued for the broker, in one transaction."""
        with self._transaction():
            return self._store_summary(session_id, interrupted=interrupted, enqueue=enqueue)

    def _store_summary(self, session_id: int, *, interrupted: bool, enqueue: bool) -> Summary:
        summary = self._summarise(session_id, interrupted=interrupted)
        payload = msgspec.json.encode(summary)
        self._db.execute("UPDATE session SET summary = ? WHERE id = ?", (payload, session_id))
        if enqueue:
            self._db.execute("INSERT INTO outbox (session_id, payload) VALUES (?, ?)", (session_id, payload))
        return summary

    def _summarise(self, session_id: int, *, interrupted: bool) -> Summary:
        session_uuid, athlete, started_at, time_trusted, model_version = self._db.execute(
            "SELECT uuid, athlete, started_at, time_trusted, model_version FROM session WHERE id = ?",
            (session_id,),
        ).fetchone()
        seconds = self.seconds(session_id)
        measured = [s.heart_rate_bpm for s in seconds if s.heart_rate_bpm is not None]
        return Summary(
            schema=SCHEMA,
            session_id=session_uuid,
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
        )

    def outbox(self) -> list[OutboxMessage]:
        """What waits for the broker, oldest first."""
        return [OutboxMessage(*row) for row in self._db.execute("SELECT id, payload FROM outbox ORDER BY id")]

    def delete_sent(self, message_id: int) -> None:
        """Drop a message that the broker has acknowledged."""
        with self._transaction():
            self._db.execute("DELETE FROM outbox WHERE id = ?", (message_id,))
