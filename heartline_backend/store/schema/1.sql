-- Read by PostgreSQL and by SQLite, which takes the names of types as they come. Times are UTC.
-- A message is kept once by (device, id); `revision` is the highest that came.

CREATE TABLE session (
    device UUID NOT NULL,
    session_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    athlete TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    time_trusted BOOLEAN NOT NULL,
    historical BOOLEAN NOT NULL,
    interrupted BOOLEAN NOT NULL,
    duration_s INTEGER NOT NULL,
    recorded_s INTEGER NOT NULL,
    heart_rate_min_bpm DOUBLE PRECISION,
    heart_rate_mean_bpm DOUBLE PRECISION,
    heart_rate_max_bpm DOUBLE PRECISION,
    received_at TIMESTAMPTZ NOT NULL,
    payload JSONB NOT NULL, -- all that was published
    PRIMARY KEY (device, session_id)
);

CREATE INDEX session_by_athlete ON session (athlete, started_at);

CREATE INDEX session_by_start ON session (started_at);

CREATE TABLE event (
    device UUID NOT NULL,
    event_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    athlete TEXT NOT NULL,
    session_id UUID,
    at TIMESTAMPTZ NOT NULL,
    time_trusted BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    payload JSONB NOT NULL, -- all that was published
    PRIMARY KEY (device, event_id)
);

CREATE INDEX event_by_athlete ON event (athlete, at);

-- Who was forgotten, without the name: SHA-256 of the device's id, a line feed and the athlete's label, in hex.
CREATE TABLE tombstone (
    device UUID NOT NULL,
    tombstone_id UUID NOT NULL,
    athlete_hash TEXT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    time_trusted BOOLEAN NOT NULL,
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (device, tombstone_id)
);

CREATE INDEX tombstone_by_athlete ON tombstone (athlete_hash);

CREATE TABLE device_status (
    device UUID PRIMARY KEY,
    online BOOLEAN NOT NULL,
    since TIMESTAMPTZ NOT NULL -- by this server's clock
);

-- What could not be kept; the newest of them.
CREATE TABLE dead_letter (
    letter_id UUID PRIMARY KEY, -- of version 7: in the order of arrival
    received_at TIMESTAMPTZ NOT NULL,
    device UUID, -- from the topic, where it names one
    topic TEXT NOT NULL,
    reason TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    payload BYTEA NOT NULL -- its first 16 KiB
);

CREATE INDEX dead_letter_by_device ON dead_letter (device);
