"""One machine for all tests, and all that was said in it where one fails."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.vm.bench import Bench
from tests.vm.figures import Figures
from tests.vm.image import build, pack
from tests.vm.machine import Machine, machine

SHOWN_LINES = 60  # of each program, where a test fails

_machine = pytest.StashKey[Machine]()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def booted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    """A machine of this checkout's wheel, booted once."""
    directory: Path = tmp_path_factory.mktemp("vm")
    image = build()
    async with machine(image, pack(image, directory), directory) as booted:
        request.config.stash[_machine] = booted
        bench = Bench(booted, Figures())
        await booted.plug(there=True)
        await bench.start_bluetoothd()
        yield bench


@pytest_asyncio.fixture(loop_scope="session")
async def bench(booted: Bench) -> Bench:
    """The machine with an adapter that is switched on, whatever the test before did to it."""
    await booted.start_bluetoothd()
    return booted


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the machine and every program in it said."""
    report = yield
    failed = item.config.stash.get(_machine, None)
    if failed is not None and report.failed:
        report.sections.append(("console of the machine", failed.console.read_text(errors="replace")[-4000:]))
        for program in failed.programs.values():
            said = [f"{line.at_s:10.2f} {line.text}" for line in program.lines[-SHOWN_LINES:]]
            if said and (program.status is None or program.status != 0 or "edge-agent" in program.command):
                report.sections.append((f"{program}, status {program.status}", "\n".join(said)))
    return report
