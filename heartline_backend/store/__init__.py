"""Where it is kept: one schema, on PostgreSQL or in a file of SQLite."""
