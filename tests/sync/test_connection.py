"""The connection to a real broker: who is let in, what is said when it is not, and what others see of the device."""

from __future__ import annotations

import asyncio
import logging
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest
import trustme

from edge_agent.broker import PASSWORD_VARIABLE
from edge_agent.config import MqttConfig
from edge_agent.demo.broker import own_broker
from edge_agent.errors import ConfigError
from edge_agent.sync.connection import Connection
from edge_agent.sync.topics import Topics
from tests.mosquitto import free_port, mosquitto, program

TOPICS = Topics("heartline", "device-1")

# paho leaves the socket of a failed handshake to the garbage collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@asynccontextmanager
async def connecting(config: MqttConfig) -> AsyncIterator[Connection]:
    connection = Connection(config, TOPICS, Random(1))  # noqa: S311
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(connection.run())
        yield connection
        task.cancel()


async def said(caplog: pytest.LogCaptureFixture, text: str) -> None:
    """Wait until the log has it."""
    async with asyncio.timeout(20):
        while text not in caplog.text:
            await asyncio.sleep(0.05)


async def welcomed(config: MqttConfig) -> None:
    """Wait until there is a connection."""
    async with connecting(config) as connection:
        await asyncio.wait_for(connection.connected(), 20)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def tls_settings(folder: Path, certificate: trustme.LeafCert) -> str:
    """Settings of a broker with a certificate."""
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    return f"allow_anonymous true\ncertfile {folder / 'server.pem'}\nkeyfile {folder / 'server.pem'}\n"


def ca_file(folder: Path, authority: trustme.CA) -> Path:
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return folder / "ca.pem"


async def test_speaks_mqtt_5_and_mqtt_3_where_the_broker_knows_no_other(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as port:
        await welcomed(MqttConfig("127.0.0.1", port))
    async with own_broker(None, tmp_path) as old:  # amqtt, which ends a connection of MQTT 5 without a word
        await welcomed(MqttConfig(old.host, old.port))


async def test_others_see_whether_the_device_is_online(tmp_path: Path) -> None:
    """Retained, also for who comes later; offline when it stops, and when it is cut off."""
    with mosquitto(tmp_path) as port:
        look = [program("mosquitto_sub"), "-p", str(port), "-t", TOPICS.status, "-C", "1", "-W", "10"]

        async def status() -> str:
            process = await asyncio.create_subprocess_exec(*look, stdout=asyncio.subprocess.PIPE)
            return (await process.communicate())[0].decode().strip()

        async with connecting(MqttConfig("127.0.0.1", port)) as connection:
            await asyncio.wait_for(connection.connected(), 10)
            assert await status() == "online"
        assert await status() == "offline"

        async with connecting(MqttConfig("127.0.0.1", port)) as connection:
            await asyncio.wait_for(connection.connected(), 10)
            assert await status() == "online"
            # Another client of the same name: the broker ends ours, without a goodbye of ours.
            thief = [program("mosquitto_sub"), "-p", str(port), "-i", TOPICS.client_id, "-t", "x", "-W", "1"]
            process = await asyncio.create_subprocess_exec(*thief)
            async with asyncio.timeout(10):
                while await status() != "offline":
                    await asyncio.sleep(0.05)
            await process.wait()


@pytest.mark.parametrize(("password", "welcome"), [("secret", True), ("wrong", False)])
async def test_logs_in_with_the_password(
    password: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, *, welcome: bool
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run([program("mosquitto_passwd"), "-b", "-c", passwords, "pi", "secret"], check=True)
    monkeypatch.setenv(PASSWORD_VARIABLE, password)
    settings = f"allow_anonymous false\npassword_file {passwords}\n"
    with mosquitto(tmp_path, settings=settings) as port:
        config = MqttConfig("127.0.0.1", port, username="pi")
        if welcome:
            await welcomed(config)
        else:
            async with connecting(config):
                await said(caplog, "check username, password")
                assert caplog.text.count("trying again") == 1
            assert "wrong" not in caplog.text


async def test_trusts_an_authority_that_is_named_and_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, authority: trustme.CA
) -> None:
    settings = tls_settings(tmp_path, authority.issue_cert("localhost"))
    with mosquitto(tmp_path, settings=settings) as port:
        await welcomed(MqttConfig("localhost", port, tls=True, ca_file=ca_file(tmp_path, authority)))
        async with connecting(MqttConfig("localhost", port, tls=True)):
            await said(caplog, "name the authority in `ca_file`")


async def test_a_certificate_for_another_name_is_refused_unless_names_are_not_checked(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, authority: trustme.CA
) -> None:
    settings = tls_settings(tmp_path, authority.issue_cert("elsewhere.example"))
    ca = ca_file(tmp_path, authority)
    with mosquitto(tmp_path, settings=settings) as port:
        async with connecting(MqttConfig("localhost", port, tls=True, ca_file=ca)):
            await said(caplog, "is for another name; set `host`")
        await welcomed(MqttConfig("localhost", port, tls=True, ca_file=ca, check_server_name=False))


async def test_shows_its_own_certificate_to_a_broker_that_asks(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, authority: trustme.CA
) -> None:
    ca = ca_file(tmp_path, authority)
    own = tmp_path / "own.pem"
    authority.issue_cert("device-1.example").private_key_and_cert_chain_pem.write_to_path(str(own))
    settings = tls_settings(tmp_path, authority.issue_cert("localhost")) + f"cafile {ca}\nrequire_certificate true\n"
    with mosquitto(tmp_path, settings=settings) as port:
        await welcomed(MqttConfig("localhost", port, tls=True, ca_file=ca, certificate_file=own))
        async with connecting(MqttConfig("localhost", port, tls=True, ca_file=ca)):
            await said(caplog, "asks for this device's certificate")


async def test_says_so_when_one_side_speaks_tls_and_the_other_does_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with mosquitto(tmp_path) as port:
        async with connecting(MqttConfig("localhost", port, tls=True)):
            await said(caplog, "both sides agree on `tls`")


async def test_a_broker_that_is_away_is_said_once_and_found_when_it_comes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    port = free_port()
    async with connecting(MqttConfig("127.0.0.1", port)) as connection:
        await said(caplog, "check `host` and `port`")
        await asyncio.sleep(2)
        with mosquitto(tmp_path, port=port):
            await asyncio.wait_for(connection.connected(), 20)
    assert caplog.text.count("check `host` and `port`") == 1


async def test_an_unknown_name_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async with connecting(MqttConfig("no-such-host.invalid")):
        await said(caplog, "cannot be resolved")


def test_files_that_cannot_be_used_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    readable = tmp_path / "password"
    readable.write_text("secret")
    readable.chmod(0o644)
    for config, remedy in (
        (MqttConfig("broker", username="pi", password_file=readable), "chmod 600"),
        (MqttConfig("broker", tls=True, ca_file=tmp_path / "none.pem"), "name a PEM file in `ca_file`"),
        (MqttConfig("broker", tls=True, certificate_file=readable), "name PEM files that belong together"),
    ):
        with pytest.raises(ConfigError, match=remedy):
            Connection(config, TOPICS, Random(1))  # noqa: S311
