"""What is asked of what is kept."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self, TypedDict, TypeVar, Unpack, cast

import msgspec

from heartline_backend.store.database import Database, Value
from heartline_backend.store.rows import Athlete, DeadLetter, Device, Event, Session, Standing

_PAGE_ROWS = 2000

_Row = TypeVar("_Row", Session, Event)


class Chosen(TypedDict, total=False):
    """Which sessions or events; None, or nothing, for any.

    Attributes:
        athlete: whose.
        device: from which.
        since: first time, inclusive.
        until: last time, exclusive.
    """

    athlete: str | None
    device: str | None
    since: datetime | None
    until: datetime | None


class Reader:
    """Questions to a database, each answered by a transaction of its own."""

    def __init__(self, database: Database) -> None:
        """Prepare; nothing is opened before it is needed."""
        self._db = database

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self._db.close()

    def athletes(self) -> list[Athlete]:
        """Who has sessions here, device by device."""
        rows = self._read(
            "SELECT device, athlete, count(*) AS sessions, sum(recorded_s) AS recorded_s, "
            "max(started_at) AS last_started_at FROM session GROUP BY device, athlete ORDER BY athlete, device"
        )
        return msgspec.convert(rows, list[Athlete], strict=False)

    def sessions(self, **chosen: Unpack[Chosen]) -> Iterator[Session]:
        """Sessions by their start, read page by page."""
        return self._pages(Session, "session", ("started_at", "device", "session_id"), chosen)

    def events(self, **chosen: Unpack[Chosen]) -> Iterator[Event]:
        """Events by their time, read page by page."""
        return self._pages(Event, "event", ("at", "device", "event_id"), chosen)

    def starts(self, since: datetime) -> list[datetime]:
        """When each session began, from a time on, where that is known."""
        rows = self._read("SELECT started_at FROM session WHERE time_trusted AND started_at >= %s", (since,))
        return msgspec.convert([row["started_at"] for row in rows], list[datetime], strict=False)

    def devices(self) -> list[Device]:
        """Devices that were heard of."""
        rows = self._read(
            "SELECT device, online, since, coalesce(sessions, 0) AS sessions, last_received_at FROM "
            "(SELECT device FROM device_status UNION SELECT device FROM session) AS known "
            "LEFT JOIN device_status USING (device) LEFT JOIN (SELECT device, count(*) AS sessions, "
            "max(received_at) AS last_received_at FROM session GROUP BY device) AS told USING (device) ORDER BY device"
        )
        return msgspec.convert(rows, list[Device], strict=False)

    def standing(self) -> Standing:
        """How things stand; quick enough to be asked every few seconds."""
        rows = self._read(
            "SELECT coalesce(sum(CASE WHEN online THEN 1 ELSE 0 END), 0) AS online, "
            "coalesce(sum(CASE WHEN online THEN 0 ELSE 1 END), 0) AS offline, "
            "(SELECT count(*) FROM dead_letter) AS dead_letters FROM device_status"
        )
        return msgspec.convert(rows[0], Standing, strict=False)

    def dead_letters(self) -> list[DeadLetter]:
        """What could not be kept, the oldest first."""
        rows = self._read(
            "SELECT letter_id, received_at, device, topic, reason, size_bytes, payload FROM dead_letter "
            "ORDER BY letter_id"
        )
        return msgspec.convert(rows, list[DeadLetter], strict=False)

    def _read(self, sql: str, values: Sequence[Value] = ()) -> list[dict[str, Any]]:
        with self._db.transaction(writing=False):
            return self._db.execute(sql, values)

    def _pages(
        self, kind: type[_Row], table: str, order: tuple[str, str, str], chosen: Mapping[str, object]
    ) -> Iterator[_Row]:
        """Rows of a table in the order of its time, its device and its id."""
        texts = {"athlete": "athlete = %s", "device": "device = %s"}
        texts |= {"since": f"{order[0]} >= %s", "until": f"{order[0]} < %s"}
        given: dict[str, Value] = {
            texts[name]: cast("Value", value) for name, value in chosen.items() if value is not None
        }
        columns = ["CAST(payload AS TEXT) AS payload" if c == "payload" else c for c in kind.__struct_fields__]
        after: tuple[Value, ...] = (datetime.min.replace(tzinfo=UTC), str(uuid.UUID(int=0)), str(uuid.UUID(int=0)))
        while True:
            rows = self._read(
                f"SELECT {', '.join(columns)} FROM {table} "  # noqa: S608 - names and texts of ours
                f"WHERE {' AND '.join([f'({chr(44).join(order)}) > (%s, %s, %s)', *given])} "
                f"ORDER BY {', '.join(order)} LIMIT %s",
                [*after, *given.values(), _PAGE_ROWS],
            )
            page = msgspec.convert(rows, list[kind], strict=False)  # type: ignore[valid-type]
            yield from page
            if len(page) < _PAGE_ROWS:
                return
            at, device, id_ = (getattr(page[-1], name) for name in order)
            after = (at, str(device), str(id_))
