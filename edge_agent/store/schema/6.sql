-- Commands and their answers: one that comes again gets the first answer, and is not obeyed again.
CREATE TABLE command (
    id TEXT PRIMARY KEY,                   -- UUIDv7: sorts by when it was made
    answer BLOB NOT NULL                   -- JSON
) STRICT, WITHOUT ROWID;
ALTER TABLE device ADD COLUMN commands_until TEXT NOT NULL DEFAULT '';   -- ids up to this one were dropped from there

CREATE TABLE lap (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    t_s INTEGER NOT NULL,                  -- its last second
    PRIMARY KEY (session_id, t_s)
) STRICT, WITHOUT ROWID;

CREATE TABLE target (
    athlete TEXT PRIMARY KEY,
    heart_rate_bpm REAL NOT NULL           -- to come down to after an effort
) STRICT, WITHOUT ROWID;

ALTER TABLE device ADD COLUMN cleaning_due INTEGER NOT NULL DEFAULT 0;   -- 1: bytes of deleted rows may still be there
