"""Claiming a sensor: the one that is meant, with a bond where asked; pairing is bumble's SMP, run for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from edge_agent.config import Placement, Role, SensorConfig
from edge_agent.demo.strap import VirtualStrap
from edge_agent.demo.virtual_sensor import Security
from edge_agent.errors import LinkError
from edge_agent.sensors.links.claims import Claims
from edge_agent.sensors.links.pairing import Wanted, pair
from edge_agent.sensors.links.scan import scan
from edge_agent.sensors.links.states import Cause, LinkState
from tests.demo.virtual_room import Air, bluetooth, until, worn_in
from tests.sensors.links.conftest import Link
from tests.sensors.profiles.virtual_services import PolarService

PASSKEY = 271828


@dataclass(frozen=True, slots=True)
class Room:
    air: Air
    claims: Claims

    async def pair(
        self, wanted: Wanted, *, passkey: int = PASSKEY, listed: list[SensorConfig] | None = None
    ) -> SensorConfig:
        async def ask_passkey() -> int:
            await asyncio.sleep(0)
            return passkey

        return await pair(wanted, self.claims, listed or [], host=self.air.host, seconds=0.5, ask_passkey=ask_passkey)


@asynccontextmanager
async def room(
    tmp_path: Path, *straps: tuple[str, Security | None, int]
) -> AsyncIterator[tuple[Room, list[VirtualStrap]]]:
    """Straps by name, security and signal strength."""
    async with bluetooth(keys=tmp_path / "keys.json") as air, AsyncExitStack() as stack:
        worn = []
        for number, (name, security, rssi_dbm) in enumerate(straps, start=1):
            strap = VirtualStrap(air.link, name=name, address=f"F0:00:00:00:00:{number:02X}", security=security)
            strap.rssi_dbm = rssi_dbm
            await worn_in(stack, strap)
            worn.append(strap)
        yield Room(air, Claims(tmp_path)), worn


async def test_the_closest_strap_is_claimed(tmp_path: Path) -> None:
    async with room(tmp_path, ("Far", None, -75), ("Near", None, -40)) as (place, _):
        claim = await place.pair(Wanted(athlete="ada"))
        assert claim == SensorConfig(Role.HEART_RATE, "F0:00:00:00:00:02", athlete="ada")
        assert place.claims.read() == (claim,)
        assert place.claims.path.stat().st_mode & 0o077 == 0


async def test_the_next_closest_is_claimed_beside_it_and_the_first_is_not_taken_twice(tmp_path: Path) -> None:
    async with room(tmp_path, ("Far", None, -75), ("Near", None, -40)) as (place, straps):
        await place.pair(Wanted())
        with pytest.raises(LinkError, match=r"no unclaimed sensor is held near \(Far F0:00:00:00:00:01 -75 dBm\)"):
            await place.pair(Wanted())
        straps[0].rssi_dbm = -45
        await place.pair(Wanted(athlete="bob"))
        assert [(claim.address, claim.athlete) for claim in place.claims.read()] == [
            ("F0:00:00:00:00:02", None),
            ("F0:00:00:00:00:01", "bob"),
        ]


async def test_two_that_are_about_equally_near_are_refused_by_name(tmp_path: Path) -> None:
    async with room(tmp_path, ("One", None, -45), ("Two", None, -40)) as (place, _):
        with pytest.raises(LinkError, match=r"more than one sensor is near \(Two .* -40 dBm, One .* -45 dBm\)"):
            await place.pair(Wanted())
        assert place.claims.read() == ()


async def test_by_name_or_address_and_only_if_it_is_one(tmp_path: Path) -> None:
    async with room(tmp_path, ("Twin", None, -45), ("Twin", None, -80), ("Other", None, -80)) as (place, _):
        assert (await place.pair(Wanted(name="Other"))).address == "F0:00:00:00:00:03"
        assert (await place.pair(Wanted(address="f0:00:00:00:00:02"))).address == "F0:00:00:00:00:02"
        with pytest.raises(LinkError, match="2 sensors with this name are in range"):
            await place.pair(Wanted(name="Twin"))
        with pytest.raises(LinkError, match="no sensor with this name is in range"):
            await place.pair(Wanted(name="Nobody"))
        with pytest.raises(LinkError, match="no treadmill sensor with this name"):
            await place.pair(Wanted(name="Other", role=Role.TREADMILL))


async def test_what_the_configuration_lists_is_not_claimed_once_more(tmp_path: Path) -> None:
    async with room(tmp_path, ("One", None, -45)) as (place, _):
        with pytest.raises(LinkError, match="is listed in the configuration file already"):
            await place.pair(Wanted(name="One"), listed=[SensorConfig(Role.HEART_RATE, name="One")])


async def test_acceleration_is_claimed_of_a_strap_that_has_it_and_of_no_other(tmp_path: Path) -> None:
    async with bluetooth() as air, AsyncExitStack() as stack:
        with_it, without = (VirtualStrap(air.link, name=n, address=f"F0:00:00:00:00:{n}") for n in ("01", "02"))
        PolarService(with_it.device)
        for strap in (with_it, without):
            await worn_in(stack, strap)
        place = Room(air, Claims(tmp_path))
        claim = await place.pair(Wanted(name="01", acceleration=Placement.CHEST))
        assert claim == SensorConfig(Role.HEART_RATE, "F0:00:00:00:00:01", acceleration=Placement.CHEST)
        with pytest.raises(LinkError, match=r"02 F0.* has no acceleration that can be streamed; leave --acceleration"):
            await place.pair(Wanted(name="02", acceleration=Placement.CHEST))
        with pytest.raises(LinkError, match="needs `role` to be speed_cadence or power"):
            await place.pair(Wanted(name="02", wheel_circumference_mm=2105))
        assert place.claims.read() == (claim,)


async def test_a_claim_is_amended_without_looking_for_the_sensor_which_the_agent_may_hold(tmp_path: Path) -> None:
    old = [
        SensorConfig(Role.HEART_RATE, "F0:00:00:00:00:07", athlete="ada", bonded=True),
        SensorConfig(Role.POWER, "F0:00:00:00:00:08"),
    ]
    async with room(tmp_path) as (place, _):
        place.claims.write(old)
        await place.pair(Wanted(address="f0:00:00:00:00:07", acceleration=Placement.WRIST))
        await place.pair(Wanted(address="F0:00:00:00:00:08", athlete="bob", wheel_circumference_mm=2096))
        assert place.claims.read() == (
            msgspec.structs.replace(old[0], acceleration=Placement.WRIST),
            msgspec.structs.replace(old[1], athlete="bob", wheel_circumference_mm=2096),
        )


@pytest.mark.parametrize("security", [Security(), Security(passkey=PASSKEY)], ids=["just works", "passkey"])
async def test_a_bond_is_made_kept_over_a_restart_and_used(tmp_path: Path, linked: Link, security: Security) -> None:
    async with room(tmp_path, ("Strap", security, -45)) as (place, (strap,)):
        claim = await place.pair(Wanted(bond=True))
        assert claim.bonded
        assert await place.air.host.bonded() == {strap.address}
        await until(lambda: not strap.device.connections)
        link = place.air.link
        # Another process, another adapter device: the keys come from the file.
        async with bluetooth(keys=tmp_path / "keys.json", link=link) as after, linked(after.host, [claim]) as run:
            await strap.wait_for_subscriber()
            await strap.notify(bytes.fromhex("063c"))
            await until(lambda: run.values() == [60])
            assert all(connection.is_encrypted for connection in strap.device.connections.values())


async def test_a_wrong_passkey_makes_no_bond_and_no_claim(tmp_path: Path) -> None:
    async with room(tmp_path, ("Strap", Security(passkey=PASSKEY), -45)) as (place, _):
        with pytest.raises(LinkError, match=r"does not bond .* the passkey was wrong, or"):
            await place.pair(Wanted(bond=True), passkey=PASSKEY + 1)
        assert await place.air.host.bonded() == set()
        assert place.claims.read() == ()


async def test_a_passkey_that_nobody_gives_ends_in_its_own_words(tmp_path: Path) -> None:
    async def nobody() -> int:
        await asyncio.sleep(0)
        msg = "add --passkey"
        raise LinkError(msg)

    async with room(tmp_path, ("Strap", Security(passkey=PASSKEY), -45)) as (place, _):
        with pytest.raises(LinkError, match=r"^add --passkey$"):
            await pair(Wanted(bond=True), place.claims, [], host=place.air.host, seconds=0.5, ask_passkey=nobody)


async def test_a_bond_that_the_sensor_forgot_ends_in_pair_again_and_pairing_again_mends_it(
    tmp_path: Path, linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with room(tmp_path, ("Strap", Security(), -45)) as (place, (strap,)):
        claim = await place.pair(Wanted(bond=True))
        await strap.forget_bonds()
        async with linked(place.air.host, []) as run:
            run.claims.write([claim])
            await until(lambda: run.links.status() and run.link("heart_rate 1") is LinkState.NEEDS_USER, timeout_s=10)
            assert run.status("heart_rate 1").cause is Cause.BOND_LOST
            assert "pair again with `edge-agent pair --bond`" in caplog.text
            await until(lambda: not strap.device.connections)
            tries = caplog.text.count("heart_rate 1: ")
            await asyncio.sleep(1.0)
            assert caplog.text.count("heart_rate 1: ") == tries  # no loop

            await place.pair(Wanted(name="Strap", bond=True))
            await until(lambda: strap.subscribed)


async def test_a_bond_that_this_device_forgot_ends_in_pair_again_at_once(
    tmp_path: Path, linked: Link, caplog: pytest.LogCaptureFixture
) -> None:
    async with room(tmp_path, ("Strap", Security(), -45)) as (place, (strap,)):
        claim = await place.pair(Wanted(bond=True))
        await place.air.host.remove(strap.address)
        async with linked(place.air.host, [claim]) as run:
            await until(lambda: run.link("heart_rate 1") is LinkState.NEEDS_USER)
            assert "the bond was lost on one side" in caplog.text
            assert not strap.device.connections


async def test_a_watch_that_changes_its_address_is_matched_by_identity_once_bonded(
    tmp_path: Path, linked: Link
) -> None:
    security = Security(bond=False, changes_address=True)
    async with room(tmp_path, ("Watch", security, -45)) as (place, (watch,)):
        with pytest.raises(LinkError, match="changes its address, so that only a bond tells it from another one"):
            await place.pair(Wanted())
        (found,) = await scan(0.3, place.air.host)
        assert found.changes_address
        assert found.address != watch.address

        claim = await place.pair(Wanted(bond=True))
        assert claim.address == watch.address  # the identity, which it never showed
        shown = str(watch.device.random_address)
        await watch.change_address()
        assert str(watch.device.random_address) != shown
        (found,) = await scan(0.3, place.air.host)
        assert found.address == watch.address
        assert not found.changes_address
        async with linked(place.air.host, [claim]) as run:
            await watch.wait_for_subscriber()
            await watch.notify(bytes.fromhex("063c"))
            await until(lambda: run.values() == [60])
