-- The journal. A second is recorded when its row is committed; a summary is sent when its outbox row is gone.
CREATE TABLE device (
    id TEXT NOT NULL                       -- random UUID of this journal, the device's name on the wire
) STRICT;

CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    uuid TEXT NOT NULL UNIQUE,
    athlete TEXT NOT NULL,
    started_at TEXT NOT NULL,              -- ISO 8601, UTC
    time_trusted INTEGER NOT NULL,         -- 0: the wall clock had not been set when the session began
    model_version TEXT NOT NULL,
    summary BLOB                           -- JSON; NULL while the session is open
) STRICT;

CREATE TABLE second (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    t_s INTEGER NOT NULL,                  -- seconds since the session began
    heart_rate_bpm REAL,
    rr_intervals_ms TEXT,                  -- JSON array; NULL when none arrived
    forecast TEXT,                         -- JSON: {"10": {"q10": bpm, "q50": bpm, "q90": bpm}, ...}
    PRIMARY KEY (session_id, t_s)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id INTEGER NOT NULL UNIQUE REFERENCES session (id) ON DELETE CASCADE,
    payload BLOB NOT NULL                  -- JSON summary
) STRICT;
