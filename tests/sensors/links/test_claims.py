"""The file of claimed sensors, and the roles that a sensor can have."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config import Role, SensorConfig
from edge_agent.errors import ConfigError
from edge_agent.sensors.links.claims import FILE_NAME, Claims, allow_list, labels
from edge_agent.sensors.links.roles import FITNESS_MACHINE, ROLES, roles_of

STRAP = SensorConfig(Role.HEART_RATE, address="F0:00:00:00:00:01", athlete="ada", bonded=True)
BIKE = SensorConfig(Role.BIKE, name="Bike")


def test_claims_are_read_as_they_were_written_and_by_their_owner_alone(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "record")
    assert claims.read() == ()
    assert claims.changed_ns() == 0
    claims.write([STRAP, BIKE])
    assert claims.read() == (STRAP, BIKE)
    assert claims.changed_ns() > 0
    assert claims.path.stat().st_mode & 0o077 == 0
    assert [file.name for file in (tmp_path / "record").iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("text", ["", "{}", '[{"role": "kettle", "name": "x"}]', '[{"role": "power"}]', "\x00"])
def test_a_damaged_file_is_named_with_the_remedy_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / FILE_NAME
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"sensors\.json: cannot be read .*pair the sensors again"):
        Claims(tmp_path).read()
    assert path.read_text() == text


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "record").write_text("a file")
    with pytest.raises(ConfigError, match=r"sensors\.json: cannot be written"):
        Claims(tmp_path / "record").write([STRAP])


def test_the_configuration_comes_first_and_nothing_twice() -> None:
    assert allow_list([BIKE], [STRAP, BIKE]) == (BIKE, STRAP)


def test_labels_number_the_sensors_of_a_role() -> None:
    other = SensorConfig(Role.HEART_RATE, name="Other")
    assert [label for label, _ in labels([STRAP, BIKE, other])] == ["heart_rate 1", "bike 1", "heart_rate 2"]


def test_a_fitness_machine_says_its_type_and_may_be_any_when_it_does_not() -> None:
    assert roles_of([FITNESS_MACHINE], {FITNESS_MACHINE: bytes.fromhex("010100")}) == [Role.TREADMILL]
    assert roles_of([FITNESS_MACHINE], {FITNESS_MACHINE: bytes.fromhex("012000")}) == [Role.BIKE]
    machines = [role for role, profile in ROLES.items() if profile.service == FITNESS_MACHINE]
    assert roles_of([FITNESS_MACHINE], {}) == machines
    assert roles_of([ROLES[Role.POWER].service.upper()], {}) == [Role.POWER]


@given(st.lists(st.sampled_from([p.service for p in ROLES.values()]) | st.text(max_size=40)), st.binary(max_size=8))
def test_what_a_sensor_advertises_is_never_trusted_to_be_well_formed(services: list[str], data: bytes) -> None:
    for role in roles_of(services, {FITNESS_MACHINE: data}):
        assert ROLES[role].service in services
