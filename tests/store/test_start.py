"""A start on a disk that cannot be written: recording begins in memory, and goes to the journal when that can be."""

from __future__ import annotations

import pytest

from edge_agent.errors import JournalError
from tests.store.disk import on_small_disk

RECORDED = """
with Journal(disk / "store") as journal:
    known = journal.device_id
crashed(3)
{hinder}
with Journal(disk / "store") as journal:
    same = journal.device_id == known
    writable = journal.writable
    session = journal.open_session(new_session(), [second(0)])
    t_s = 1
    while t_s < 300:
        journal.accept(session, [second(t_s)])
        t_s += 1
    held_s, message = journal.held_s, [message.id for message in journal.outbox()]
    for number in message[:1]:
        journal.acknowledge(number)
    closed = journal.close_session(session, interrupted=False, enqueue=True)
    next_one = journal.open_session(new_session(), [second(0)])
    {mend}
    later = 0
    while journal.held_s:
        later += 1
        journal.accept(next_one, [second(later)])
    kept = [[s.t_s for s in journal.seconds(i)] for i in (session, next_one)]
    report(same=same, writable=writable, held_s=held_s, closed=closed, later=later, open=journal.open_sessions(),
           in_order=kept == [list(range(t_s)), list(range(later + 1))], waiting=len(journal.outbox()),
           next_one=next_one, writable_now=journal.writable)
"""


@pytest.mark.parametrize(
    ("hinder", "mend", "said"),
    [
        ("remount('ro')", "remount('rw')", "the disk is read-only, as after an error of the card"),
        ("unshare(); fill()", "free()", "the disk is full; delete something"),
    ],
    ids=["read-only", "full"],
)
def test_recording_begins_in_memory_and_is_written_in_order_when_it_can_be(hinder: str, mend: str, said: str) -> None:
    seen = on_small_disk(RECORDED.format(hinder=hinder, mend=mend))
    assert seen["same"]
    assert not seen["writable"]
    assert seen["held_s"] == 300
    assert seen["closed"] is None
    assert seen["later"] <= 10  # so many seconds until the disk is asked again
    assert seen["in_order"]
    assert seen["writable_now"]
    assert seen["waiting"] == 4  # three of before the crash, one recorded in memory
    assert seen["open"] == [4, seen["next_one"]]  # what was cut off is closed at the next start
    assert said in seen["said"][0]
    assert "Recording begins in memory, for 4 h at most" in seen["said"][0]
    assert "it can be written again" in seen["said"][-1]


def test_a_first_start_on_a_disk_that_cannot_be_written_is_refused() -> None:
    seen = on_small_disk("""
remount("ro")
try:
    Journal(disk / "store")
except Exception as error:
    report(kind=type(error).__name__, text=str(error))
""")
    assert seen["kind"] == JournalError.__name__
    assert "name a writable folder" in seen["text"]
