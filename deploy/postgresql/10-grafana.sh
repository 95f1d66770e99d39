#!/bin/sh
# Run once by the image of PostgreSQL, when the database is made: a role that may only read, for the dashboard.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$GRAFANA_DATABASE_PASSWORD" --username "$POSTGRES_USER" "$POSTGRES_DB" <<'SQL'
CREATE ROLE grafana LOGIN PASSWORD :'password';
GRANT USAGE ON SCHEMA public TO grafana;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO grafana;
SQL
