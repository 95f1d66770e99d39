"""A workload of the crash table: the whole way of a command, from its bytes to its answer, with recorder and journal.

Whoever sent commands before the device was cut off sends all of them again afterwards. What is answered then with
`done` must have been done, and once: laps, events, summaries, the target and the tombstone are counted.
"""

from __future__ import annotations

import json
import random
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import msgspec

from edge_agent.agent.commands import Commander
from edge_agent.agent.events import Events
from edge_agent.config import CommandName, MqttConfig
from edge_agent.store.identifiers import uuid7
from edge_agent.store.messages import Kind
from edge_agent.sync.commands import Answer, Refusal
from edge_agent.sync.connection import Connection, Received
from edge_agent.sync.inbox import Inbox
from edge_agent.sync.topics import Topics
from tests.agent.command_bench import Bench, bench
from tests.agent.test_session import SetClock

TARGET_BPM = 110.0

# In order: the name, and what it is sent with.
SENT: tuple[tuple[str, dict[str, object]], ...] = (
    ("lap", {}),
    ("set_target", {"heart_rate_bpm": TARGET_BPM}),
    ("lap", {}),
    ("stop", {}),
    ("start", {}),
    ("lap", {}),
    ("forget", {}),
)


def prepare(directory: Path) -> None:
    """A journal that is the same device in each run, and a choice of a runtime, so that none is tried in a child."""
    directory.mkdir(exist_ok=True)
    with _repeatable(), bench(directory) as rig:
        # Of somebody unknown to the backend no tombstone is sent.
        Events(rig.journal, rig.clock, told=True).tell("battery_low", "ada", None, None, {})


def obey(directory: Path) -> Iterator[str]:
    """Two sessions with laps, a target, a stop and a start; then the athlete is forgotten."""
    with _repeatable(), bench(directory) as rig:
        rig.journal._db.execute("PRAGMA wal_autocheckpoint=12")  # noqa: SLF001
        yield "agent started"
        for number, (name, _) in enumerate(SENT):
            if name != "start":
                for _ in range(3):
                    rig.beat(1)
                    yield "seconds accepted"
            send(rig, number)
            yield f"{name} answered"


def consistent(directory: Path) -> bool:
    """Whether the agent, started again, says of each command that was ever sent what is true."""
    with bench(directory) as rig:
        before = _counts(rig)
        kept = [rig.journal.answer_to(command_id(number)) for number in range(len(SENT))]
        rig.clock.now_s = 30.0
        answers = [send(rig, number) for number in range(len(SENT))]
        counts = _counts(rig)
        if any(was is not None and was != now for was, now in zip(kept, answers, strict=True)):
            return False
        done = [_done(answers) for answers in (kept, answers)]
        # What was done is there, and of what is done now, what was done already is not there twice. What was not is
        # done now, after the forgetting, if that was done.
        now = done[1] - done[0] if "forget" in done[0] else done[1]
        return before == _left_by(done[0], forgotten="forget" in done[0]) and counts == _left_by(
            now, forgotten="forget" in done[1]
        )


def send(rig: Bench, number: int) -> bytes:
    """Send a command, the same one each time; its answer."""
    name, fields = SENT[number]
    content = {"schema": 1, "command": name, "command_id": str(command_id(number)), **fields}
    if name == "forget":
        content["athlete"] = rig.wire_name
    connection = Connection(MqttConfig("127.0.0.1"), Topics("heartline", "device"), random.Random(1))  # noqa: S311
    commander = Commander(rig.journal, rig.recorder, rig.disclosure, rig.clock, sync_now=_nothing)
    inbox = Inbox(
        *(rig.journal, connection, Topics("heartline", "device"), rig.clock),
        switched_on=frozenset(CommandName),
        obey=commander.obey,
    )
    return inbox.answer(Received(json.dumps(content).encode(), False, None, None, _nothing))


def command_id(number: int) -> uuid.UUID:
    """The id of the command that is sent as the `number`-th."""
    made = uuid7(SetClock().now())
    return uuid.UUID(int=made.int >> 80 << 80 | 0x7 << 76 | 0b10 << 62 | number)


def _counts(rig: Bench) -> dict[str, int]:
    """What commands have left in journal and outbox."""
    (laps,) = rig.journal._db.execute("SELECT count(*) FROM lap").fetchone()  # noqa: SLF001
    (stopped,) = rig.journal._db.execute(  # noqa: SLF001
        "SELECT count(*) FROM session WHERE NOT json_extract(CAST(summary AS TEXT), '$.interrupted')"
    ).fetchone()
    return {
        "laps": laps,
        "lap events": rig.happened().count("lap"),
        "sessions that were stopped": stopped,
        "session_ended events": rig.happened().count("session_ended"),
        "targets": sum(bpm == TARGET_BPM for bpm in rig.journal.targets().values()),
        "tombstones": sum(message.kind is Kind.TOMBSTONE for message in rig.journal.outbox()),
    }


def _done(answers: Sequence[bytes | None]) -> Counter[str]:
    """How many commands of each name were answered with `done`."""
    decoded = [msgspec.json.decode(answer, type=Answer) if answer else None for answer in answers]
    assert not any(answer and answer.refusal not in {None, Refusal.NO_SESSION} for answer in decoded)
    return Counter(name for (name, _), answer in zip(SENT, decoded, strict=True) if answer and answer.done)


def _left_by(done: Counter[str], *, forgotten: bool) -> dict[str, int]:
    """What has to be there when these were done, a forgetting last; `forgotten` also if it was done before."""
    there = 0 if "forget" in done else 1
    return {
        "laps": done["lap"] * there,
        "lap events": done["lap"] * there,
        "sessions that were stopped": done["stop"] * there,
        "session_ended events": done["stop"] * there,
        "targets": done["set_target"] * there,
        "tombstones": int(forgotten),
    }


def _nothing() -> None:
    pass


@contextmanager
def _repeatable() -> Iterator[None]:
    """The same ids in each run."""
    with mock.patch("secrets.randbits", random.Random(1).getrandbits):  # noqa: S311
        yield
