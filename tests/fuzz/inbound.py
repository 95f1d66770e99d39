"""What reads bytes from a broker: a device's connection, its commands, and the backend.

A finding is what raises anything but the refusal that belongs to it, leaves a connection without an end, or answers
what is no answer or where the device itself speaks.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import socket
import tempfile
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import msgspec
from paho.mqtt.enums import MQTTProtocolVersion

from edge_agent.config import CommandName, MqttConfig
from edge_agent.store.identifiers import uuid7
from edge_agent.store.journal import Journal
from edge_agent.store.messages import SCHEMA as MESSAGE_SCHEMA
from edge_agent.store.messages import Event, Kind, Tombstone
from edge_agent.store.summary import SCHEMA as SUMMARY_SCHEMA
from edge_agent.store.summary import ForecastScore, Summary
from edge_agent.sync.commands import MAX_COMMAND_BYTES, SCHEMA, Answer, Command, RefusedCommandError, parse_command
from edge_agent.sync.connection import Connection, Received, _Link
from edge_agent.sync.inbox import Inbox
from edge_agent.sync.topics import ONLINE, Topics
from heartline_backend.errors import MessageRefusedError
from heartline_backend.messages import SessionMessage, parse

NOW = datetime(2026, 3, 1, 7, 30, tzinfo=UTC)
DEVICE = "019ca84d-d8c0-7000-8000-000000000000"
TOPICS = Topics("heartline", DEVICE)
BIRTH = "homeassistant/status"

JSON_TARGETS = ("command", "command to answer", "message to the backend")
COVERED = ["edge_agent/sync/commands.py", "edge_agent/sync/inbox.py", "heartline_backend/messages.py"]

_VERSIONS = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}
_CONNACK = {"5": bytes.fromhex("2003000000"), "3.1.1": bytes.fromhex("20020000")}


def target(name: str) -> Callable[[bytes], None]:
    """What to call with an input."""
    logging.disable(logging.CRITICAL)
    return _TARGETS[name][0]()


def seeds(name: str) -> list[bytes]:
    """Inputs to begin with: what is documented."""
    return _TARGETS[name][1]()


def title(name: str) -> str:
    """The target for people."""
    return name


def longest(_: str) -> int:
    """Bytes of the longest input that is tried: a little more than a command may have."""
    return MAX_COMMAND_BYTES + 96


def weight(name: str) -> int:
    """Of the inputs, how many times as many as another target gets: packets take twenty times as long as JSON."""
    return 4 if name in JSON_TARGETS else 1


def _command() -> Callable[[bytes], None]:
    def run(data: bytes) -> None:
        with contextlib.suppress(RefusedCommandError):
            parse_command(data)

    return run


class _Now:
    def now(self) -> datetime:
        return NOW

    def time_trusted(self) -> bool:
        return True


def _answer() -> Callable[[bytes], None]:
    """An input is a byte of flags, the topic for the answer up to a line feed, and the payload."""
    folder = tempfile.TemporaryDirectory(dir="/dev/shm")
    atexit.register(folder.cleanup)
    journal = Journal(Path(folder.name))

    def obey(command: Command) -> None:
        journal.keep_answer(command.command_id, msgspec.json.encode(Answer(SCHEMA, command.command_id, done=True)))

    inbox = Inbox(journal, _connection(), TOPICS, _Now(), switched_on=list(CommandName), obey=obey)

    def run(data: bytes) -> None:
        topic, _, payload = data[1:].partition(b"\n")
        named = topic.decode(errors="replace")
        received = Received(payload, bool(data[:1] > b"\x7f"), named, None, lambda: None)
        msgspec.json.decode(inbox.answer(received), type=Answer)
        answer_topic, _ = inbox._address(received)  # noqa: SLF001 - which is said to a broker alone
        if answer_topic != TOPICS.answer and (answer_topic.startswith("heartline/") or set(answer_topic) & {*"#+\0"}):
            raise AssertionError(answer_topic)

    return run


def _message() -> Callable[[bytes], None]:
    """An input is a topic up to a line feed, and the payload."""

    def run(data: bytes) -> None:
        topic, _, payload = data.partition(b"\n")
        try:
            message = parse("heartline", topic.decode(errors="replace"), payload)
        except MessageRefusedError:
            return
        if isinstance(message, SessionMessage):
            uuid.UUID(message.session_id)
            msgspec.json.encode(message.summary)

    return run


class _DirectLoop(asyncio.SelectorEventLoop):
    """Does at once what a thread hands it."""

    def call_soon_threadsafe(self, callback: Callable[..., object], *arguments: Any) -> None:  # type: ignore[override]  # noqa: ANN401
        callback(*arguments)


def _connection() -> Connection:
    return Connection(MqttConfig("127.0.0.1"), TOPICS, Random(1))  # noqa: S311


def _packets(version: str) -> Callable[[bytes], None]:
    """An input is what a broker sends after its CONNACK; then it hangs up."""
    connection = _connection()
    connection._protocol = _VERSIONS[version]  # noqa: SLF001 - which a broker's answer decides
    heard: list[Received] = []
    for topic in (BIRTH, TOPICS.command):
        connection.subscribe(topic, heard.append)
    loop = _DirectLoop()
    atexit.register(loop.close)

    def run(data: bytes) -> None:
        heard.clear()
        ours, theirs = socket.socketpair()
        with theirs, mock.patch("socket.create_connection", return_value=ours):
            theirs.sendall(_CONNACK[version] + data)
            theirs.shutdown(socket.SHUT_WR)
            # As `Connection` makes one, but that nothing runs in a thread.
            link = _Link(connection._new_client(), loop.create_future(), loop.create_future())  # noqa: SLF001
            connection._listen(link, loop)  # noqa: SLF001
            link.client.connect("127.0.0.1", **connection._session())  # noqa: SLF001
            link.client.loop_forever()
            for received in heard:
                received.acknowledge()
        ours.close()
        if not link.ended.done():
            msg = "the connection has no end"
            raise AssertionError(msg)

    return run


def _json(topic: str, message: msgspec.Struct) -> bytes:
    return topic.encode() + b"\n" + msgspec.json.encode(message)


def _command_seeds() -> list[bytes]:
    number = str(uuid7(NOW))
    more: dict[str, dict[str, object]] = {"set_target": {"heart_rate_bpm": 120.0}, "forget": {"athlete": "ada"}}
    return [
        msgspec.json.encode({"schema": SCHEMA, "command": name, "command_id": number, **more.get(name, {})})
        for name in CommandName
    ]


def _answer_seeds() -> list[bytes]:
    return [b"\x00phone/answers\n" + seed for seed in _command_seeds()]


def _message_seeds() -> list[bytes]:
    number, at = str(uuid7(NOW)), NOW.isoformat()
    score = ForecastScore(100, 2.0, 3.0, 0.8)
    summary = Summary(
        *(SUMMARY_SCHEMA, number, 1, False, "ada", at, True, False, 600, 590, 80.0, 120.0, 160.0, 700),
        *({10: score}, "1", "1"),
    )
    event = Event(MESSAGE_SCHEMA, number, 1, "ada", number, 7, at, True, "lap", {"lap": 1})
    tombstone = Tombstone(MESSAGE_SCHEMA, number, 1, "ada", at, True)
    told = {Kind.SUMMARY: summary, Kind.EVENT: event, Kind.TOMBSTONE: tombstone}
    return [_json(TOPICS.of(kind), message) for kind, message in told.items()] + [
        TOPICS.status.encode() + b"\n" + ONLINE
    ]


def _packet_seeds(version: str) -> list[bytes]:
    """PUBLISH, PUBACK, SUBACK, PINGRESP and DISCONNECT as a broker sends them (MQTT 5, section 3)."""
    none = b"\x00" if version == "5" else b""

    def publish(topic: str, payload: bytes, properties: bytes = none) -> bytes:
        body = len(topic).to_bytes(2, "big") + topic.encode() + b"\x00\x01" + properties + payload
        return b"\x32" + bytes([len(body) & 0x7F | 0x80, len(body) >> 7]) + body

    found = [publish(TOPICS.command, seed) for seed in _command_seeds()]
    found += [
        publish(BIRTH, ONLINE),
        bytes.fromhex("40020001"),
        b"\x90" + bytes([3 + len(none)]) + b"\x00\x01" + none + b"\x01",
    ]
    found += [bytes.fromhex("d000")]
    if version == "5":
        # With a topic to answer at (8) and data to find there (9), and the reasons of PUBACK and DISCONNECT.
        found.append(publish(TOPICS.command, _command_seeds()[0], bytes.fromhex("0a 08 0003 612f62 09 0001 37")))
        found += [bytes.fromhex("4004 0001 87 00"), bytes.fromhex("e002 8e 00")]
    return found


_TARGETS: dict[str, tuple[Callable[[], Callable[[bytes], None]], Callable[[], list[bytes]]]] = {
    "command": (_command, _command_seeds),
    "command to answer": (_answer, _answer_seeds),
    "message to the backend": (_message, _message_seeds),
    "packets of MQTT 5": (lambda: _packets("5"), lambda: _packet_seeds("5")),
    "packets of MQTT 3.1.1": (lambda: _packets("3.1.1"), lambda: _packet_seeds("3.1.1")),
}

TARGETS = list(_TARGETS)
