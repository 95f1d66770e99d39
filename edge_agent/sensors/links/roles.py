"""Which service makes a sensor fit for a role, and which of its characteristics are listened to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edge_agent.config import Role
from edge_agent.sensors.profiles.uuids import assigned

FITNESS_MACHINE = assigned(0x1826)


@dataclass(frozen=True, slots=True)
class RoleProfile:
    """What a role needs.

    Attributes:
        service: UUID of the service that the sensor advertises.
        stream: UUID of the characteristic that is subscribed to.
        machine_bit: of the Fitness Machine Type field in a fitness machine's service data; None for other sensors.
    """

    service: str
    stream: str
    machine_bit: int | None = None


# Assigned Numbers, 3.4.1 and 3.8.1. Fitness Machine Type: Fitness Machine Service 1.0, section 3.1.2.
ROLES: Mapping[Role, RoleProfile] = {
    Role.HEART_RATE: RoleProfile(assigned(0x180D), assigned(0x2A37)),
    Role.TREADMILL: RoleProfile(FITNESS_MACHINE, assigned(0x2ACD), 0),
    Role.CROSS_TRAINER: RoleProfile(FITNESS_MACHINE, assigned(0x2ACE), 1),
    Role.ROWER: RoleProfile(FITNESS_MACHINE, assigned(0x2AD1), 4),
    Role.BIKE: RoleProfile(FITNESS_MACHINE, assigned(0x2AD2), 5),
    Role.FOOT_POD: RoleProfile(assigned(0x1814), assigned(0x2A53)),
    Role.SPEED_CADENCE: RoleProfile(assigned(0x1816), assigned(0x2A5B)),
    Role.POWER: RoleProfile(assigned(0x1818), assigned(0x2A63)),
}

# The service data of a fitness machine: flags (one byte), then the type field (two bytes, little endian).
_MACHINE_TYPE = slice(1, 3)


def roles_of(service_uuids: Iterable[str], service_data: Mapping[str, bytes]) -> list[Role]:
    """What a sensor that advertises this can be; of a fitness machine that does not say its type, every type."""
    advertised = {uuid.casefold() for uuid in service_uuids}
    machine = int.from_bytes(service_data.get(FITNESS_MACHINE, b"")[_MACHINE_TYPE], "little")
    return [
        role
        for role, profile in ROLES.items()
        if profile.service in advertised
        and (profile.machine_bit is None or not machine or machine >> profile.machine_bit & 1)
    ]
