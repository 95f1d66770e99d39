-- Sessions know where they lie in a boot, so that they can be dated once the time is known, and carry revisions.
-- The outbox holds three kinds of messages; a summary in it is the one of its session.
ALTER TABLE session ADD COLUMN boot_id TEXT;                             -- NULL: it was not recorded live
ALTER TABLE session ADD COLUMN since_boot_s REAL;                        -- when it began, on a clock that is never set
ALTER TABLE session ADD COLUMN historical INTEGER NOT NULL DEFAULT 0;    -- 1: replayed from a recording
ALTER TABLE session ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;      -- of the summary; 0 while the session is open
ALTER TABLE session ADD COLUMN sent_revision INTEGER NOT NULL DEFAULT 0; -- newest one that the broker has acknowledged

-- Replayed sessions had name-based UUIDs (version 5), live ones random ones.
UPDATE session SET historical = substr(uuid, 15, 1) = '5', revision = summary IS NOT NULL;
UPDATE session SET summary = CAST(json_set(
    CAST(summary AS TEXT), '$.schema', 2, '$.revision', 1, '$.historical', json(iif(historical, 'true', 'false'))
) AS BLOB) WHERE summary IS NOT NULL;

-- Athletes of whom something was queued for the broker, and may have arrived: a backend has to hear when one is forgotten.
CREATE TABLE shared_athlete (
    athlete TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

-- What has been sent was not noted before: once anything had been queued, it may have been anybody.
INSERT INTO shared_athlete
    SELECT DISTINCT athlete FROM session WHERE EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outbox');

ALTER TABLE outbox RENAME TO outbox_1;
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- order of sending
    kind TEXT NOT NULL CHECK (kind IN ('summary', 'event', 'tombstone')),
    athlete TEXT NOT NULL,
    session_id INTEGER UNIQUE REFERENCES session (id) ON DELETE CASCADE, -- of a summary
    payload BLOB,                          -- JSON of an event or a tombstone
    CHECK ((kind = 'summary') = (session_id IS NOT NULL) AND (kind = 'summary') = (payload IS NULL))
) STRICT;
INSERT INTO outbox (id, kind, athlete, session_id)
    SELECT outbox_1.id, 'summary', session.athlete, session.id
    FROM outbox_1 JOIN session ON session.id = outbox_1.session_id;
DROP TABLE outbox_1;
