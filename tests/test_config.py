"""The configuration file: right ones are read, wrong ones say what is wrong and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.broker import PASSWORD_VARIABLE, read_password
from edge_agent.config import MqttConfig, Placement, Role, SensorConfig, load_config
from edge_agent.errors import ConfigError

MINIMAL = '[strap]\nname = "HR 1"\n[store]\ndirectory = "data"\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_strap_and_a_folder_are_enough_and_then_nothing_is_sent(tmp_path: Path) -> None:
    config = load_config(write(tmp_path, MINIMAL))
    assert config.listed_sensors == (SensorConfig(Role.HEART_RATE, name="HR 1"),)
    assert config.mqtt is None


def test_sensors_are_listed_by_role_in_order_of_preference_the_short_form_first(tmp_path: Path) -> None:
    text = MINIMAL + (
        '[[sensors]]\nrole = "treadmill"\naddress = "F0:00:00:00:00:02"\n'
        '[[sensors]]\nrole = "heart_rate"\naddress = "F0:00:00:00:00:03"\nathlete = "bob"\nbonded = true\n'
    )
    assert load_config(write(tmp_path, text)).listed_sensors == (
        SensorConfig(Role.HEART_RATE, name="HR 1"),
        SensorConfig(Role.TREADMILL, address="F0:00:00:00:00:02"),
        SensorConfig(Role.HEART_RATE, address="F0:00:00:00:00:03", athlete="bob", bonded=True),
    )


@pytest.mark.parametrize("placement", list(Placement))
def test_acceleration_is_off_until_a_heart_rate_sensor_says_where_it_is_worn(
    tmp_path: Path, placement: Placement
) -> None:
    line = f'acceleration = "{placement}"\n'
    listed = f'[[sensors]]\nrole = "heart_rate"\nname = "HR 2"\n{line}'
    config = load_config(write(tmp_path, MINIMAL.replace("[store]", f"{line}[store]") + listed))
    assert [sensor.acceleration for sensor in config.listed_sensors] == [placement, placement]
    assert load_config(write(tmp_path, MINIMAL)).listed_sensors[0].acceleration is None


def test_a_sensor_that_counts_a_wheels_turns_may_say_how_far_one_is(tmp_path: Path) -> None:
    sensor = '[[sensors]]\nrole = "{}"\nname = "x"\nwheel_circumference_mm = 1340\n'
    text = MINIMAL + "".join(sensor.format(role) for role in ("speed_cadence", "power"))
    assert [s.wheel_circumference_mm for s in load_config(write(tmp_path, text)).listed_sensors] == [None, 1340, 1340]


def test_relative_paths_count_from_the_file(tmp_path: Path) -> None:
    text = MINIMAL + '[mqtt]\nhost = "b"\ntls = true\nca_file = "ca.pem"\nusername = "u"\npassword_file = "/etc/pw"\n'
    config = load_config(write(tmp_path, text))
    assert config.store.directory == tmp_path / "data"
    assert config.mqtt is not None
    assert config.mqtt.ca_file == tmp_path / "ca.pem"
    assert config.mqtt.password_file == Path("/etc/pw")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[strap\n", "agent.toml: .*end of a table"),
        ('[strap]\nname = "x"\n', r"missing required field `store`"),
        (
            MINIMAL + '[[sensors]]\nrole = "kettle"\nname = "x"\n',
            r"Invalid enum value 'kettle'.*\$\.sensors\[0\]\.role",
        ),
        (MINIMAL + '[[sensors]]\nrole = "power"\n', r"needs `address` or `name`.*\$\.sensors\[0\]"),
        (
            MINIMAL + '[[sensors]]\nrole = "power"\nname = "x"\nacceleration = "wrist"\n',
            r'`acceleration` needs `role = "heart_rate"`',
        ),
        (MINIMAL.replace("[store]", 'acceleration = "ankle"\n[store]'), r"Invalid enum value 'ankle'"),
        (
            MINIMAL + '[[sensors]]\nrole = "bike"\nname = "x"\nwheel_circumference_mm = 2105\n',
            r"needs `role` to be speed_cadence or power",
        ),
        (
            MINIMAL + '[[sensors]]\nrole = "power"\nname = "x"\nwheel_circumference_mm = 2.105\n',
            r"`wheel_circumference_mm` is 2.105: give the way .* in one turn in mm, 800 to 3000",
        ),
        (MINIMAL + '[[sensors]]\nrole = "power"\nname = "x"\nbonded = true\n', r"`bonded` needs `address`"),
        (MINIMAL + 2 * '[[sensors]]\nrole = "power"\naddress = "F0:00:00:00:00:01"\n', r"01 is listed twice"),
        ('[strap]\n[store]\ndirectory = "d"\n', r"needs `address` or `name`.*\$\.strap"),
        (MINIMAL + '[mqtt]\nhost = "b"\nport = 0\n', r"\$\.mqtt\.port"),
        (MINIMAL + '[mqtt]\nhost = "b"\ntopic_prefix = "a/#"\n', r"\$\.mqtt\.topic_prefix"),
        (MINIMAL + '[mqtt]\nhost = "b"\nca_file = "ca.pem"\n', r"`ca_file` needs `tls = true`"),
        (MINIMAL + '[mqtt]\nhost = "b"\npassword_file = "p"\n', r"`password_file` needs `username`"),
        (MINIMAL + "[athlete]\nnam = 1\n", r"unknown field `nam`.*\$\.athlete"),
        ('[strap]\nname = "x"\n[store]\ndirectory = 3\n', r"expected a path.*\$\.store\.directory"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key_and_the_remedy(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason) as caught:
        load_config(write(tmp_path, text))
    assert "docs/configuration.md" in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_config(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"agent\.toml"):
        load_config(path)


def login(path: Path | None = None) -> MqttConfig:
    return MqttConfig("broker", username="pi", password_file=path)


def test_a_password_is_the_first_line_of_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret\n", encoding="utf-8")
    path.chmod(0o600)
    assert read_password(login(path)) == "secret"


def test_without_a_file_the_password_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    assert read_password(login()) is None
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert read_password(login()) == "secret"


def test_a_password_that_others_can_read_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("secret\n", encoding="utf-8")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_password(login(path))
