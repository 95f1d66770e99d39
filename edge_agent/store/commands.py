"""The rows of commands, with the answers they got. Every function works in the transaction of its caller.

At most `MAX_COMMANDS` are kept, those with the latest ids. Which ids were dropped is known nevertheless, because they
sort by time: every id up to `commands_until`.
"""

from __future__ import annotations

import sqlite3
import uuid

# Twice what comes in a day at one a minute; at some 200 bytes each, 0.6 MB of the disk.
MAX_COMMANDS = 3000


def keep_answer(db: sqlite3.Connection, command_id: uuid.UUID, answer: bytes) -> None:
    """Keep the answer to a command; when there are too many, the command with the earliest id goes."""
    db.execute("INSERT OR IGNORE INTO command (id, answer) VALUES (?, ?)", (str(command_id), answer))
    (count,) = db.execute("SELECT count(*) FROM command").fetchone()
    if count > MAX_COMMANDS:
        (earliest,) = db.execute("SELECT min(id) FROM command").fetchone()
        db.execute("DELETE FROM command WHERE id = ?", (earliest,))
        db.execute("UPDATE device SET commands_until = max(commands_until, ?)", (earliest,))


def answer_to(db: sqlite3.Connection, command_id: uuid.UUID) -> bytes | None:
    """The answer that a command got; None where it got none or is not known any more."""
    row = db.execute("SELECT answer FROM command WHERE id = ?", (str(command_id),)).fetchone()
    return bytes(row[0]) if row else None


def may_be_dropped(db: sqlite3.Connection, command_id: uuid.UUID) -> bool:
    """Whether a command without an answer may have got one that was dropped."""
    (until,) = db.execute("SELECT commands_until FROM device").fetchone()
    return str(command_id) <= str(until)


def mark_lap(db: sqlite3.Connection, session_id: int, t_s: int) -> None:
    """End a lap of a session."""
    db.execute("INSERT OR IGNORE INTO lap (session_id, t_s) VALUES (?, ?)", (session_id, t_s))


def set_target(db: sqlite3.Connection, athlete: str, heart_rate_bpm: float | None) -> None:
    """Set the heart rate that an athlete is to come down to; None takes it away."""
    db.execute("DELETE FROM target WHERE athlete = ?", (athlete,))
    if heart_rate_bpm is not None:
        db.execute("INSERT INTO target (athlete, heart_rate_bpm) VALUES (?, ?)", (athlete, heart_rate_bpm))
