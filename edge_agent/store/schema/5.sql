-- Seconds hold what acceleration tells: one in five, what was done in the five seconds before.
ALTER TABLE second ADD COLUMN activity TEXT;   -- JSON: {"label": "run", "probability": 0.97, "unknown": false, ...}
