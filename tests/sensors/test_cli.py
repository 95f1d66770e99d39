"""The commands about sensors, on bleak's BlueZ backend and an emulated daemon."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from edge_agent.agent.status import Status
from edge_agent.cli import main
from edge_agent.config import Role, SensorConfig
from edge_agent.inference.activity import CurrentActivity
from edge_agent.sensors.links.claims import Claims
from edge_agent.sensors.links.states import AdapterFault, Cause, LinkState, SensorStatus, SignalState
from tests.fake_bluez import FakeBlueZ, fake_bluez, private_bus

NAME, ADDRESS = "HR Strap 1", "F0:00:00:00:00:01"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A configuration without sensors, and a bus with a strap on it."""
    path = tmp_path / "agent.toml"
    path.write_text('[athlete]\nname = "ada"\n[store]\ndirectory = "record"\n')
    with private_bus(tmp_path) as bus, served(bus):
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", bus)
        yield path


@contextmanager
def served(bus: str) -> Iterator[None]:
    """The daemon in a thread, since a command has its own event loop; its strap notifies once a second."""
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        async with fake_bluez(bus, name=NAME, address=ADDRESS) as daemon:
            ready.set()
            while not stop.is_set():
                await asyncio.sleep(0.1)
                await _beat(daemon)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield
    finally:
        stop.set()
        thread.join()


async def _beat(daemon: FakeBlueZ) -> None:
    if daemon.strap.subscribed:
        await daemon.strap.notify(bytes.fromhex("063c"))


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_a_strap_is_scanned_claimed_listed_and_forgotten(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("sensors", "--config", config) == 1
    assert "no sensor is claimed; see `edge-agent scan`" in capsys.readouterr().out

    assert run("scan", "--config", config, "--seconds", 0.4) == 0
    heading, row = capsys.readouterr().out.splitlines()
    assert heading.split() == ["ADDRESS", "SIGNAL", "NAME", "OFFERS", "CLAIMED", "AS"]
    assert row.split("  ")[0] == ADDRESS
    assert "HR Strap 1" in row
    assert row.endswith("-")

    assert run("pair", "--config", config, "--closest", "--seconds", 0.4) == 0
    assert capsys.readouterr().out == f"{ADDRESS} is claimed as heart_rate of ada\n"
    assert run("scan", "--config", config, "--seconds", 0.4) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("heart_rate")
    assert run("pair", "--config", config, "--address", ADDRESS, "--acceleration", "chest") == 0
    said = f"{ADDRESS} is claimed as heart_rate of ada, with its acceleration at the chest\n"
    assert capsys.readouterr().out == said
    assert run("pair", "--config", config, "--address", ADDRESS, "--acceleration", "ankle") != 0
    assert "--acceleration ankle: use one of chest, wrist" in capsys.readouterr().err

    assert run("sensors", "--config", config) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].split()[:4] == ["heart_rate", "1", "ada", ADDRESS]
    assert "the agent has not run here yet" in out

    assert run("forget", "--sensor", ADDRESS, "--config", config) == 0
    assert run("forget", "--sensor", ADDRESS, "--config", config) == 1
    assert Claims(config.parent / "record").read() == ()


def test_the_list_shows_what_the_agent_wrote_last_and_what_its_user_has_to_do(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = config.parent / "record"
    Claims(record).write([SensorConfig(Role.HEART_RATE, address=ADDRESS, bonded=True)])
    sensor = SensorStatus(
        "heart_rate 1",
        Role.HEART_RATE,
        None,
        LinkState.NEEDS_USER,
        Cause.BOND_LOST,
        SignalState.NO_SIGNAL,
        (),
        12,
        "1.2.3",
    )
    status = Status(
        datetime(2026, 1, 1, tzinfo=UTC),
        AdapterFault.BLOCKED,
        (sensor,),
        {"ada": {"heart_rate_bpm": "heart_rate 1"}},
        {
            "ada": CurrentActivity("running", 0.94, unknown=False, cadence_per_min=162.4),
            "bob": CurrentActivity("rowing", 0.31, unknown=True, cadence_per_min=None),
            "cleo": None,
        },
    )
    (record / "status.json").write_bytes(msgspec.json.encode(status))
    assert run("sensors", "--config", config) == 0
    out = capsys.readouterr().out
    assert "needs user (bond lost)" in out
    assert "12 %" in out
    assert "1.2.3" in out
    assert "ada: heart_rate_bpm from heart_rate 1" in out
    assert "ada: activity running (94%), 162 per minute" in out
    assert "bob: activity unknown, at best rowing (31%)" in out
    assert "cleo: activity no signal" in out
    assert "it does not run now" in out
    assert "run `sudo rfkill unblock bluetooth`" in out
    assert "heart_rate 1: the bond was lost on one side; pair again" in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--closest", "--role", "kettle"], "--role kettle: use one of heart_rate, treadmill"),
        (["--closest", "--role", "treadmill"], "no unclaimed sensor is held near"),
        (["--name", "Nobody"], "no sensor with this name is in range"),
        (["--closest", "--bond", "--passkey", "12"], "a passkey has six digits"),
    ],
)
def test_what_cannot_be_claimed_is_said(
    config: Path, arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("pair", "--config", config, "--seconds", 0.3, *arguments) == 2
    assert reason in capsys.readouterr().err


def test_a_sensor_of_the_configuration_is_forgotten_there(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(f'strap = {{ name = "{NAME}" }}\n' + config.read_text())
    assert run("forget", "--sensor", NAME, "--config", config) == 2
    assert "is listed in the configuration file; remove it there" in capsys.readouterr().err


def test_the_doctor_walks_every_stage_to_the_first_frame(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(f'strap = {{ name = "{NAME}" }}\n' + config.read_text())
    assert run("doctor", "--config", config, "--seconds", 0.5) == 0
    lines = capsys.readouterr().out.splitlines()
    stages = [line[6:18].strip() for line in lines]
    assert stages == [
        *("kernel", "rfkill", "D-Bus", "BlueZ", "permissions", "adapter", "scan", "heard", "connect", "bond"),
        *("subscribe", "first frame"),
    ]
    assert all(line.startswith("ok") for line in lines)


def test_the_doctor_stops_at_the_first_stage_that_fails_with_its_remedy(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(f'[[sensors]]\nrole = "power"\naddress = "{ADDRESS}"\n' + config.read_text())
    assert run("doctor", "--config", config, "--seconds", 0.5) == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("FAIL  subscribe")
    assert "does not measure what its role needs" in last


def test_the_doctor_without_bluetooth_names_the_missing_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/nobody")
    assert run("doctor") == 1
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("FAIL")
    assert "run `sudo " in last
