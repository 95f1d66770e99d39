"""The clock table: what a device dates its sessions when its clock is wrong, is set, or is set back.

    python -m tests.store.clock_table

A device's clock is played: it says what the case has it say, while the true time and the time since boot go on. The
journal and the task that dates sessions are the agent's.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from edge_agent.agent.upkeep import date_when_trusted
from edge_agent.store.identifiers import uuid7
from edge_agent.store.journal import Journal
from edge_agent.store.sessions import NewSession, SinceBoot
from edge_agent.store.summary import Summary
from tests.store.samples import second

RECORDED_S = 120
ZONE = ZoneInfo("Europe/Berlin")  # where the device is


class PlayedClock:
    """A device's clock.

    Attributes:
        true: what time it is.
        offset: how far the device is off.
        trusted: whether the device knows its time.
    """

    def __init__(self, true: datetime, offset: timedelta, *, trusted: bool, boot_id: str = "boot-1") -> None:
        self.true = true
        self.offset = offset
        self.trusted = trusted
        self._boot_id = boot_id
        self._booted = true - timedelta(seconds=30)

    def monotonic_s(self) -> float:
        return (self.true - self._booted).total_seconds()

    def now(self) -> datetime:
        return (self.true + self.offset).astimezone(ZONE)

    def time_trusted(self) -> bool:
        return self.trusted

    def since_boot(self) -> SinceBoot:
        return SinceBoot(self._boot_id, self.monotonic_s())

    async def sleep(self, seconds: float) -> None:
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        """Let time go on."""
        self.true += timedelta(seconds=seconds)

    def is_set(self, offset: timedelta = timedelta()) -> None:
        """The time has come from the network, or from somebody who is off by `offset`."""
        self.offset, self.trusted = offset, True


@dataclass(frozen=True, slots=True)
class Dated:
    """A session in the end.

    Attributes:
        true_start: when it began.
        summaries: its revisions, as they were queued.
        seconds: that the journal holds, all of them in order.
    """

    true_start: datetime
    summaries: tuple[Summary, ...]
    seconds: int


class Device:
    """A journal, and the clock that its sessions are dated with."""

    def __init__(self, directory: Path, clock: PlayedClock) -> None:
        self.clock = clock
        self._journal = Journal(directory)
        self._starts: dict[str, datetime] = {}
        self._queued: list[Summary] = []

    def record(self, meanwhile: Callable[[PlayedClock], object] | None = None) -> None:
        """A session, in the middle of which something happens to the clock."""
        now = self.clock.now()
        new = NewSession(uuid7(now), "ada", now, self.clock.time_trusted(), "0.1.0", self.clock.since_boot())
        self._starts[str(new.uuid)] = self.clock.true
        session = self._journal.open_session(new, [second(0)])
        for t_s in range(1, RECORDED_S):
            self.clock.pass_by(1)
            if t_s == RECORDED_S // 2 and meanwhile:
                meanwhile(self.clock)
                self.date()
            self._journal.accept(session, [second(t_s)])
        self._journal.close_session(session, interrupted=False, enqueue=True)
        self._send()

    def date(self) -> None:
        """What the agent does as long as the time is not known."""
        if self.clock.trusted:
            asyncio.run(date_when_trusted(self._journal, self.clock))
            self._send()

    def boot(self, clock: PlayedClock, directory: Path) -> None:
        """Off and on again, with a clock that begins anew."""
        self._journal.close()
        self.clock, self._journal = clock, Journal(directory)

    def finish(self) -> list[Dated]:
        """The sessions in the order of the journal."""
        found = []
        for number, uuid in enumerate(self._starts, start=1):
            seconds = [s.t_s for s in self._journal.seconds(number)]
            assert seconds == list(range(len(seconds)))
            revisions = tuple(summary for summary in self._queued if summary.session_id == uuid)
            found.append(Dated(self._starts[uuid], revisions, len(seconds)))
        self._journal.close()
        return found

    def _send(self) -> None:
        for message in self._journal.outbox():
            self._queued.append(msgspec.json.decode(message.payload, type=Summary))
            self._journal.acknowledge(message.id)


TRUE = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
LAST_SHUTDOWN = timedelta(days=-2)
THREE_YEARS = timedelta(days=-3 * 365)


def boot_without_time(directory: Path) -> list[Dated]:
    device = Device(directory, PlayedClock(TRUE, datetime(1970, 1, 1, tzinfo=UTC) - TRUE, trusted=False))
    device.record()
    device.clock.pass_by(3600)
    device.clock.is_set()
    device.date()
    return device.finish()


def step_of_three_years(directory: Path) -> list[Dated]:
    device = Device(directory, PlayedClock(TRUE, THREE_YEARS, trusted=False))
    device.record(PlayedClock.is_set)
    return device.finish()


def step_back_in_mid_session(directory: Path) -> list[Dated]:
    device = Device(directory, PlayedClock(TRUE, timedelta(hours=1), trusted=True))
    device.record(PlayedClock.is_set)
    device.clock.pass_by(60)
    device.record()
    return device.finish()


def begin_of_summer_time(directory: Path) -> list[Dated]:
    start = datetime(2026, 3, 29, 1, 59, tzinfo=ZONE)  # a minute before 2:00 is 3:00
    device = Device(directory, PlayedClock(start.astimezone(UTC), timedelta(), trusted=True))
    device.record()
    return device.finish()


def end_of_summer_time(directory: Path) -> list[Dated]:
    start = datetime(2026, 10, 25, 2, 59, tzinfo=ZONE)  # a minute before 3:00 is 2:00 again
    device = Device(directory, PlayedClock(start.astimezone(UTC), timedelta(), trusted=True))
    device.record()
    device.clock.pass_by(60)
    device.record()
    return device.finish()


def never_known_before_the_next_boot(directory: Path) -> list[Dated]:
    device = Device(directory, PlayedClock(TRUE, LAST_SHUTDOWN, trusted=False))
    device.record()
    tomorrow = TRUE + timedelta(days=1)
    device.boot(PlayedClock(tomorrow, timedelta(), trusted=True, boot_id="boot-2"), directory)
    device.date()
    device.record()
    return device.finish()


CASES: dict[str, Callable[[Path], list[Dated]]] = {
    "boot without time (1970), known 70 minutes later": boot_without_time,
    "boot 3 years behind, set in mid-session": step_of_three_years,
    "clock an hour ahead, set back in mid-session": step_back_in_mid_session,
    "begin of summer time in mid-session": begin_of_summer_time,
    "end of summer time in mid-session": end_of_summer_time,
    "time known only after the next boot": never_known_before_the_next_boot,
}


def table(cases: Sequence[str]) -> Iterator[str]:
    """What each case comes to, as Markdown."""
    yield "| case | session | began | sent first | sent in the end | off | trusted | revision | seconds |"
    yield "|---|--:|---|---|---|--:|---|--:|--:|"
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            for number, dated in enumerate(CASES[case](Path(folder)), start=1):
                first, last = dated.summaries[0], dated.summaries[-1]
                off_s = (datetime.fromisoformat(last.started_at) - dated.true_start).total_seconds()
                yield (
                    f"| {case} | {number} | {dated.true_start:%F %T} | {_shown(first)} | {_shown(last)} "
                    f"| {off_s:.0f} s | {'yes' if last.time_trusted else 'no'} | {last.revision} | {dated.seconds} |"
                )


def _shown(summary: Summary) -> str:
    return f"{datetime.fromisoformat(summary.started_at):%F %T}"


def main() -> int:
    """Print the table."""
    print(*table(list(CASES)), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
