"""Claims a sensor: chooses the one that is meant, bonds with it where asked, and writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import msgspec
from bleak import BleakClient
from bleak.exc import BleakError

from edge_agent.config import Placement, Role, SensorConfig
from edge_agent.errors import LinkError
from edge_agent.sensors.links.claims import Claims, allow_list
from edge_agent.sensors.links.host import AskPasskey, Host
from edge_agent.sensors.links.radio import BLUETOOTH_ERRORS
from edge_agent.sensors.links.scan import FoundSensor, scan
from edge_agent.sensors.links.sensor import CONNECT_S
from edge_agent.sensors.profiles import polar_control

# A strap held against the device is heard at -30 to -50 dBm, one on the chest a metre away at -60 to -75.
NEAR_DBM = -58.0
# Twice the distance costs 6 dB, and a body in between 10 to 20: who is nearer by this is meant.
MARGIN_DB = 8.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sensor is meant: by address, by name, or, without either, the closest one.

    Attributes:
        address: Bluetooth address.
        name: advertised name.
        role: what it is to be; None for the one thing that it can be.
        athlete: whose; None for the configured one.
        bond: whether to bond with it.
        acceleration: where it is worn, if it is to stream its acceleration, too.
        wheel_circumference_mm: of the wheel whose turns it counts; None for the usual one.
    """

    address: str | None = None
    name: str | None = None
    role: Role | None = None
    athlete: str | None = None
    bond: bool = False
    acceleration: Placement | None = None
    wheel_circumference_mm: float | None = None

    def claim(self, role: Role, address: str) -> SensorConfig:
        """What is written down of a sensor.

        Raises:
            LinkError: such a sensor cannot be what is wanted of it.
        """
        try:
            return SensorConfig(
                role,
                address,
                athlete=self.athlete,
                bonded=self.bond,
                acceleration=self.acceleration,
                wheel_circumference_mm=self.wheel_circumference_mm,
            )
        except ValueError as error:
            raise LinkError(str(error)) from error

    def amend(self, old: SensorConfig) -> SensorConfig:
        """What is written down of a sensor that is claimed already.

        Raises:
            LinkError: it cannot be what is wanted of it.
        """
        claim = self.claim(self.role or old.role, old.address or "")
        return msgspec.structs.replace(claim, athlete=self.athlete or old.athlete, bonded=old.bonded)


async def pair(
    wanted: Wanted,
    claims: Claims,
    listed: Sequence[SensorConfig],
    *,
    host: Host,
    seconds: float,
    ask_passkey: AskPasskey,
) -> SensorConfig:
    """Claim a sensor; one that is claimed already is not looked for, the running agent may hold it.

    Args:
        wanted: which.
        claims: where it is written down.
        listed: the sensors of the configuration, which are claimed already.
        host: Bluetooth below bleak.
        seconds: how long to listen for it.
        ask_passkey: asks the user for the sensor's digits.

    Returns:
        The claim.

    Raises:
        LinkError: it is not there, not the only one that may be meant, claimed already, does not bond, or has no
            acceleration.
        ConfigError: the claims cannot be read or written.
    """
    known = claims.read()
    for place, old in enumerate(known):
        if not wanted.bond and (wanted.address or "").casefold() == (old.address or "-").casefold():
            claim = wanted.amend(old)
            claims.write([*known[:place], claim, *known[place + 1 :]])
            return claim
    everybody = allow_list(listed, known)
    found = choose(await scan(seconds, host), wanted, everybody)
    if any(sensor.matches(found.address, found.name) for sensor in listed):
        msg = f"{_called(found)} is listed in the configuration file already; remove it there to pair it here"
        raise LinkError(msg)
    if wanted.bond and found.address.upper() in await host.bonded():
        # The old key would only be used again, and BlueZ forgets the sensor with it: it has to be found anew.
        await host.remove(found.address)
        found = choose(await scan(seconds, host), wanted, everybody)
    if found.changes_address and not wanted.bond:
        msg = (
            f"{_called(found)} changes its address, so that only a bond tells it from another one: add --bond, or "
            "switch on its broadcast mode if it has one"
        )
        raise LinkError(msg)
    claim = wanted.claim(_role(found, wanted), found.address)
    if wanted.bond or wanted.acceleration:
        claim = msgspec.structs.replace(claim, address=await _meet(found, wanted, host, ask_passkey))
    claims.write([*(old for old in known if old.address != claim.address), claim])
    return claim


def choose(found: Sequence[FoundSensor], wanted: Wanted, claimed: Sequence[SensorConfig]) -> FoundSensor:
    """The sensor that is meant, of those in range.

    Raises:
        LinkError: none is, or more than one may be.
    """
    fit = [sensor for sensor in found if wanted.role is None or wanted.role in sensor.roles]
    if wanted.address:
        return _only([s for s in fit if s.address.casefold() == wanted.address.casefold()], wanted, "with this address")
    if wanted.name:
        return _only([s for s in fit if s.name == wanted.name], wanted, "with this name")
    free = [s for s in fit if wanted.bond or not any(c.matches(s.address, s.name) for c in claimed)]
    near = [s for s in free if s.strength_dbm >= NEAR_DBM]
    if not near:
        heard = f" ({_listed(free)})" if free else ""
        msg = (
            f"no unclaimed sensor is held near{heard}: wear it or wake it, hold it against this device and try again, "
            "or name it with --address"
        )
        raise LinkError(msg)
    if len(near) > 1 and near[0].strength_dbm - near[1].strength_dbm < MARGIN_DB:
        msg = (
            f"more than one sensor is near ({_listed(near)}): hold the one you mean closer and the others away, or "
            "name it with --address"
        )
        raise LinkError(msg)
    return near[0]


def _only(fit: Sequence[FoundSensor], wanted: Wanted, how: str) -> FoundSensor:
    what = "sensor" if wanted.role is None else f"{wanted.role.value.replace('_', ' ')} sensor"
    if not fit:
        msg = f"no {what} {how} is in range; wear it or wake it, and see `edge-agent scan`"
        raise LinkError(msg)
    if len(fit) > 1:
        msg = f"{len(fit)} sensors {how} are in range ({_listed(fit)}); name the one you mean with --address"
        raise LinkError(msg)
    return fit[0]


def _role(found: FoundSensor, wanted: Wanted) -> Role:
    if wanted.role is not None:
        return wanted.role
    if len(found.roles) == 1:
        return found.roles[0]
    msg = f"{_called(found)} can be more than one thing; add --role with one of: {', '.join(found.roles)}"
    raise LinkError(msg)


async def _meet(found: FoundSensor, wanted: Wanted, host: Host, ask_passkey: AskPasskey) -> str:
    """Bond and look for acceleration, as wanted; gives the identity address."""
    client = BleakClient(found.device, timeout=CONNECT_S)
    try:
        async with host.pairing(found.address, ask_passkey) if wanted.bond else nullcontext():
            await client.connect()
            try:
                if wanted.acceleration and client.services.get_characteristic(polar_control.CONTROL_POINT) is None:
                    msg = f"{_called(found)} has no acceleration that can be streamed; leave --acceleration out"
                    raise LinkError(msg)
                if wanted.bond:
                    await client.pair()
            finally:
                await client.disconnect()
    except BLUETOOTH_ERRORS as error:
        if not wanted.bond:
            msg = f"{_called(found)} does not connect ({error}); end its link to other devices and try again"
            raise LinkError(msg) from error
        wrong = "the passkey was wrong, or " if isinstance(error, BleakError) else ""
        msg = (
            f"{_called(found)} does not bond ({error}): {wrong}it is not in pairing mode, or still bonded with another "
            "device; see its manual and try again"
        )
        raise LinkError(msg) from error
    return client.address.upper()


def _called(sensor: FoundSensor) -> str:
    return f"{sensor.name or 'the sensor'} {sensor.address}".strip()


def _listed(sensors: Sequence[FoundSensor]) -> str:
    return ", ".join(f"{s.name or 'without name'} {s.address} {s.strength_dbm:.0f} dBm" for s in sensors)
