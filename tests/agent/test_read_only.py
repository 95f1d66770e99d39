"""A device that comes up with a read-only disk, as after a power cut: the whole agent records all the same."""

from __future__ import annotations

from tests.store.disk import on_small_disk

STORY = """
import asyncio, tempfile
from tests.reliability.test_sensor_faults import scene
from tests.reliability.virtual_time import run_virtual

home = Path(tempfile.mkdtemp())
(disk / "store").mkdir(mode=0o700)
(home / "record").symlink_to(disk / "store")

async def record(mended):
    async with scene(home) as s:
        await asyncio.sleep(60)
        if mended:
            remount("rw")
            await asyncio.sleep(30)
    return s.wearer.sent_ms, s.rig.rr_intervals_ms()

yesterday, _ = run_virtual(record(mended=False))
remount("ro")
today, recorded = run_virtual(record(mended=True))
with Journal(disk / "store") as journal:
    report(sent=len(today), whole=recorded == yesterday + today, open=journal.open_sessions())
"""


def test_the_agent_records_on_a_read_only_disk_and_writes_all_of_it_when_that_can_be_written_again() -> None:
    seen = on_small_disk(STORY, size="16M")
    assert seen["sent"] > 100
    assert seen["whole"]
    assert seen["open"] == []
    said = [text for text in seen["said"] if text.startswith("journal:")]
    assert "Recording begins in memory" in said[0]
    assert "it can be written again" in said[-1]
