"""`edge-agent scan` on a real kernel, bluetoothd and bus."""

from __future__ import annotations

import pytest

from tests.vm.bench import Bench, worn_strap

pytestmark = [pytest.mark.vm, pytest.mark.asyncio(loop_scope="session")]


async def test_a_worn_strap_is_listed_with_its_address_and_name(bench: Bench) -> None:
    async with worn_strap(bench) as wearer:
        listed = await bench.machine.run("edge-agent", "scan", "--seconds", "4", user="pi")
    strap = wearer.strap
    assert any(strap.address in line and strap.name in line for line in listed.splitlines()), listed
