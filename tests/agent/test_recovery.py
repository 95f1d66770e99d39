"""A recovery, live: a strap whose wearer stops, through the whole agent, in virtual time."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from bumble.link import LocalLink

from edge_agent.agent.status import Status
from edge_agent.cli import main
from edge_agent.demo.strap import VirtualStrap
from edge_agent.store.summary import Summary
from tests.reliability.rig import Rig, Wearer, adapter, agent, until
from tests.reliability.virtual_time import run_virtual

LOOK_S = 5  # the status is looked at this often


async def run_then_stop(wearer: Wearer, *, rest_s: int) -> None:
    """Up to 160 bpm in three minutes, then down by a second's half beat, towards 100."""
    for second in range(180):
        await wearer.beat(bpm=min(90 + second, 160))
    for second in range(rest_s):
        await wearer.beat(bpm=max(160 - second // 2, 100))


def summary_of(rig: Rig) -> Summary:
    with closing(sqlite3.connect(rig.directory / "journal.sqlite3")) as journal:
        ((encoded,),) = journal.execute("SELECT summary FROM session").fetchall()
    return msgspec.json.decode(encoded, type=Summary)


def test_a_recovery_is_told_while_it_goes_on_and_measured_in_the_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Status] = []

    async def story() -> Rig:
        link = LocalLink()  # type: ignore[no-untyped-call] # bumble leaves it untyped
        strap = VirtualStrap(link)
        await strap.power_on()
        wearer = Wearer(strap)
        async with adapter(link) as host, agent(tmp_path, f'[strap]\naddress = "{strap.address}"\n', host) as rig:
            await strap.wait_for_subscriber()
            await run_then_stop(wearer, rest_s=100)
            seen.append(rig.status())
            assert main(["sensors", "--config", str(tmp_path / "agent.toml")]) == 0
            await run_then_stop(wearer, rest_s=40)
            assert rig.status().recoveries
            # The strap is taken off: what was last known of a recovery is not shown as if it went on.
            gone_s = await until(lambda: not rig.status().recoveries, timeout_s=60)
            assert gone_s <= 12 + LOOK_S + 1
        return rig

    rig = run_virtual(story())
    (recovery,) = seen[0].recoveries.values()
    assert recovery.stop_t_s == pytest.approx(180, abs=6)
    assert recovery.hr60_bpm.q50 == pytest.approx(130, abs=4)  # measured by then
    assert recovery.hr120_bpm.q10 < recovery.hr120_bpm.q50 < recovery.hr120_bpm.q90
    printed = capsys.readouterr().out
    assert f"athlete: recovering since second {recovery.stop_t_s}, at 60 s 13" in printed
    assert f"down at the target in {recovery.seconds_to_target:.0f} s" in printed
    measured, *_ = summary_of(rig).recoveries
    assert measured.stop_t_s == recovery.stop_t_s
    assert measured.hrr60_bpm == pytest.approx(30, abs=3)
