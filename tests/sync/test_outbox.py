"""From the outbox to a real broker: a message leaves the journal when the broker has it, and not before."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from edge_agent.config import MqttConfig
from edge_agent.errors import ConfigError
from edge_agent.store.journal import Journal
from edge_agent.store.sessions import NewSession
from edge_agent.store.summary import Second, Summary
from edge_agent.sync.outbox import OutboxSync
from edge_agent.sync.publisher import Publisher
from tests.mosquitto import free_port, mosquitto, program


def queue(journal: Journal, count: int) -> list[str]:
    """Put summaries in the outbox; gives the ids of their sessions."""
    ids = [uuid.uuid4() for _ in range(count)]
    for session_uuid in ids:
        new = NewSession(session_uuid, "ada", datetime.now(UTC), time_trusted=True, model_version="0.1.0")
        row = journal.open_session(new, [Second(0, 120.0, (), {})])
        journal.close_session(row, interrupted=False, enqueue=True)
    return [str(i) for i in ids]


@asynccontextmanager
async def syncing(journal: Journal, config: MqttConfig) -> AsyncIterator[OutboxSync]:
    async with Publisher(config, journal.device_id) as publisher, asyncio.TaskGroup() as tasks:
        sync = OutboxSync(journal, publisher)
        task = tasks.create_task(sync.run())
        yield sync
        task.cancel()


@asynccontextmanager
async def subscriber(port: int, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """mosquitto's own client, subscribed to everything of ours when this begins."""
    process = await asyncio.create_subprocess_exec(
        *(
            "stdbuf",
            "-oL",
            program("mosquitto_sub"),
            "-h",
            "127.0.0.1",
            "-p",
            str(port),
            "-q",
            "1",
            "-v",
            "-d",
            "-t",
            "heartline/#",
        ),
        *options,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        while b"Subscribed" not in await process.stdout.readline():
            pass
        yield process
    finally:
        process.terminate()
        await process.communicate()


async def received(process: asyncio.subprocess.Process, count: int) -> list[tuple[str, Summary]]:
    """The next messages: topic and summary."""
    assert process.stdout is not None
    messages: list[tuple[str, Summary]] = []
    while len(messages) < count:
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        if line.startswith("heartline/"):
            topic, payload = line.split(" ", 1)
            messages.append((topic, msgspec.json.decode(payload, type=Summary)))
    return messages


async def test_summaries_arrive_in_order_and_the_outbox_is_empty_then(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        ids = queue(journal, 3)
        async with subscriber(port) as sub, syncing(journal, MqttConfig("127.0.0.1", port)) as sync:
            messages = await received(sub, 3)
            await asyncio.wait_for(sync.drained(), 10)
        assert [summary.session_id for _, summary in messages] == ids
        assert {topic for topic, _ in messages} == {f"heartline/{journal.device_id}/session"}
        assert journal.outbox() == []


async def test_what_is_queued_later_is_sent_too(tmp_path: Path) -> None:
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path) as port:
        async with subscriber(port) as sub, syncing(journal, MqttConfig("127.0.0.1", port)) as sync:
            await asyncio.wait_for(sync.drained(), 10)
            ids = queue(journal, 1)
            sync.notify()
            await asyncio.wait_for(sync.drained(), 10)
            assert [summary.session_id for _, summary in await received(sub, 1)] == ids


async def test_summaries_wait_for_a_broker_that_is_away(tmp_path: Path) -> None:
    port = free_port()
    with Journal(tmp_path / "store") as journal:
        ids = queue(journal, 2)
        async with syncing(journal, MqttConfig("127.0.0.1", port)) as sync:
            await asyncio.sleep(0.5)
            assert len(journal.outbox()) == 2
            with mosquitto(tmp_path, port=port):
                async with subscriber(port) as sub:
                    assert [s.session_id for _, s in await received(sub, 2)] == ids
                await asyncio.wait_for(sync.drained(), 10)
        assert journal.outbox() == []


async def test_a_broker_that_dies_before_it_acknowledges_gets_the_message_again(tmp_path: Path) -> None:
    """The first broker takes the bytes and says nothing, as one does that is killed before its PUBACK."""
    published = asyncio.Event()

    async def mute_broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)  # CONNECT
        writer.write(bytes.fromhex("20020000"))  # CONNACK, accepted (MQTT 3.1.1, section 3.2)
        if await reader.read(65536):  # PUBLISH
            published.set()
        writer.close()

    server = await asyncio.start_server(mute_broker, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with Journal(tmp_path / "store") as journal:
        ids = queue(journal, 1)
        async with syncing(journal, MqttConfig("127.0.0.1", port)) as sync:
            await asyncio.wait_for(published.wait(), 10)
            server.close()
            await server.wait_closed()
            assert len(journal.outbox()) == 1
            with mosquitto(tmp_path, port=port):
                async with subscriber(port) as sub:
                    assert [s.session_id for _, s in await received(sub, 1)] == ids
                await asyncio.wait_for(sync.drained(), 20)
        assert journal.outbox() == []


@pytest.fixture
def guarded(tmp_path: Path) -> str:
    """Settings of a broker that asks for a password."""
    passwords = tmp_path / "passwords"
    subprocess.run([program("mosquitto_passwd"), "-b", "-c", passwords, "pi", "secret"], check=True)
    return f"allow_anonymous false\npassword_file {passwords}\n"


@pytest.mark.parametrize(("password", "welcome"), [("secret", True), ("wrong", False)])
async def test_logs_in_with_the_password_file(
    password: str, guarded: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, welcome: bool
) -> None:
    password_file = tmp_path / "password"
    password_file.write_text(password)
    password_file.chmod(0o600)
    caplog.set_level(logging.INFO)
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path, settings=guarded) as port:
        queue(journal, 1)
        config = MqttConfig("127.0.0.1", port, username="pi", password_file=password_file)
        async with syncing(journal, config) as sync:
            if welcome:
                await asyncio.wait_for(sync.drained(), 10)
            else:
                while "check username, password" not in caplog.text:
                    await asyncio.sleep(0.05)
        assert len(journal.outbox()) == (0 if welcome else 1)
        assert password not in caplog.text.replace("check username, password", "")


async def test_a_password_file_that_others_can_read_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    password_file = tmp_path / "password"
    password_file.write_text("secret")
    password_file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        Publisher(MqttConfig("127.0.0.1", 1, username="pi", password_file=password_file), "device")


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning")
async def test_speaks_tls_to_a_broker_whose_certificate_it_trusts_and_to_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    settings = f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}\n"
    with Journal(tmp_path / "store") as journal, mosquitto(tmp_path, settings=settings) as port:
        queue(journal, 1)
        async with syncing(journal, MqttConfig("localhost", port, tls=True)):
            while "cannot be reached" not in caplog.text:
                await asyncio.sleep(0.05)
        assert len(journal.outbox()) == 1
        async with syncing(journal, MqttConfig("localhost", port, tls=True, ca_file=certificate)) as sync:
            await asyncio.wait_for(sync.drained(), 10)
        assert journal.outbox() == []
