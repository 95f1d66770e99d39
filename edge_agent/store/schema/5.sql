-- Activities, one in five seconds. In a table of their own: beside its forecast, a second has no room left for more in
-- a page of 1 kB, and one that spills takes a page for itself.
CREATE TABLE activity (
    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    t_s INTEGER NOT NULL,                  -- second in which it was known: what was done in the five before
    label TEXT NOT NULL,
    probability REAL NOT NULL,             -- that those five seconds alone give it
    unknown INTEGER NOT NULL,              -- 1: they are too little to go by
    cadence_per_min REAL,                  -- NULL where nothing repeats
    PRIMARY KEY (session_id, t_s)
) STRICT, WITHOUT ROWID;
