"""The store's tables, as a chain of migrations: `schema/N.sql` leads from version N - 1 to version N."""

from __future__ import annotations

from importlib.resources import files

from heartline_backend.errors import StoreError
from heartline_backend.store.database import Database

VERSION = 1


def migrate(database: Database) -> None:
    """Bring a store to the version that is known here, in one transaction; there is no way back.

    Raises:
        StoreError: a newer backend has written it, or it cannot be used.
    """
    with database.transaction():
        database.lock(alone=True)  # of several workers that start at once, one does it
        database.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        version = max(
            (int(row["version"]) for row in database.execute("SELECT version FROM schema_version")), default=0
        )
        if version > VERSION:
            msg = f"the store is of a newer backend (schema {version}, this one knows {VERSION}); upgrade this one"
            raise StoreError(msg)
        for step in range(version + 1, VERSION + 1):
            script = files("heartline_backend.store").joinpath("schema", f"{step}.sql").read_text(encoding="utf-8")
            lines = (line.partition("--")[0] for line in script.splitlines())
            for statement in "\n".join(lines).split(";"):
                if statement.strip():
                    database.execute(statement)
            database.execute("INSERT INTO schema_version (version) VALUES (%s)", (step,))
