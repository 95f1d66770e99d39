"""Data flows one way, and so do the imports: what each room may know of the project and of other libraries."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest

from tests.architecture.imports import MODULES, PACKAGES, imports_of, inside


@dataclass(frozen=True, slots=True)
class Room:
    """What the modules of a room may import, beside the standard library and each other.

    Attributes:
        project: packages and modules of this repository.
        libraries: other distributions' top-level modules.
        pure: bytes and numbers in, values out; no file, clock, socket or source of chance.
    """

    project: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()
    pure: bool = False


_ERRORS, _BROKER, _CONFIG = "edge_agent.errors", "edge_agent.broker", "edge_agent.config"
_PROFILES, _LINKS = "edge_agent.sensors.profiles", "edge_agent.sensors.links"
_SIGNALS, _RECORDINGS, _INFERENCE = "edge_agent.signals", "edge_agent.recordings", "edge_agent.inference"
_STORE, _SYNC, _AGENT = "edge_agent.store", "edge_agent.sync", "edge_agent.agent"

ROOMS = {
    "edge_agent": Room(),
    _ERRORS: Room(),
    _BROKER: Room((_ERRORS,), ("msgspec",)),
    _CONFIG: Room((_ERRORS, _BROKER), ("msgspec",)),
    "edge_agent.sensors": Room(),
    _PROFILES: Room((_ERRORS,), pure=True),
    _LINKS: Room((_ERRORS, _CONFIG, _PROFILES), ("bleak", "dbus_fast", "msgspec")),
    "edge_agent.sensors.cli": Room(("edge_agent",)),
    _SIGNALS: Room((_PROFILES,), ("numpy",), pure=True),
    _RECORDINGS: Room(
        (_ERRORS, f"{_SIGNALS}.acceleration", f"{_SIGNALS}.frame"), ("fitdecode", "msgspec", "numpy", "tcxreader")
    ),
    "edge_agent.models": Room(),
    _INFERENCE: Room((_ERRORS, _SIGNALS), ("msgspec", "numpy")),
    _STORE: Room((_ERRORS, _SIGNALS, _INFERENCE), ("msgspec",)),
    f"{_STORE}.cli": Room(("edge_agent",)),
    _SYNC: Room(
        (_ERRORS, _BROKER, _CONFIG, f"{_INFERENCE}.forecast", f"{_INFERENCE}.recovery", _STORE), ("msgspec", "paho")
    ),
    _AGENT: Room((_ERRORS, _CONFIG, _PROFILES, _LINKS, _SIGNALS, _RECORDINGS, _INFERENCE, _STORE, _SYNC), ("msgspec",)),
    "edge_agent.demo": Room(("edge_agent",), ("amqtt", "bleak", "bumble", "msgspec", "numpy", "paho")),
    "edge_agent.cli": Room(("edge_agent",), ("msgspec",)),
    "training": Room(
        (_ERRORS, _SIGNALS, _RECORDINGS, _INFERENCE),
        (
            "distributed",
            "jinja2",
            "keras",
            "matplotlib",
            "msgspec",
            "numpy",
            "sklearn",
            "tensorflow",
            "threadpoolctl",
            "tqdm",
        ),
    ),
    # A comparison of architectures is of what becomes of them on a device too.
    "training.zoo.forms": Room((_INFERENCE, "training", "converters"), ("numpy",)),
    # Of the device: what it publishes and where to, and what brokers say. Its journal, models and sensors are its own.
    "heartline_backend": Room(
        (
            _ERRORS,
            _BROKER,
            f"{_STORE}.identifiers",
            f"{_STORE}.messages",
            f"{_STORE}.summary",
            f"{_SYNC}.paho_client",
            f"{_SYNC}.topics",
            f"{_SYNC}.trouble",
        ),
        ("msgspec", "numpy", "paho", "pika", "prometheus_client", "psycopg", "starlette", "uvicorn"),
    ),
    "converters": Room(
        (_ERRORS, _SIGNALS, _RECORDINGS, _INFERENCE, "training"),
        ("ai_edge_litert", "keras", "msgspec", "numpy", "tensorflow", "tflite_runtime"),
    ),
}

# Modules of the standard library that reach outside the process or know the time.
WORLD = (
    "asyncio", "datetime", "fcntl", "http", "importlib", "io", "logging", "multiprocessing", "os", "pathlib", "random",
    "secrets", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile", "threading", "time", "urllib",
)  # fmt: skip


def _room_of(module: str) -> str:
    """The innermost room; the packages' own `__init__` modules are rooms of one."""
    return max((name for name in ROOMS if inside(module, (name,))), key=len)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_room_may_know(module: str) -> None:
    name = _room_of(module)
    assert name != "edge_agent" or module == name, f"{module} is in no room: give it one in ROOMS"
    room = ROOMS[name]
    imported = imports_of(module)
    ours = {other for other in imported if inside(other, PACKAGES) and other != "edge_agent"}
    # The bare package is imported for its version alone.
    assert not {other for other in ours if not inside(other, (name, *room.project))}
    outside = {other for other in imported if other.partition(".")[0] not in {*PACKAGES, *sys.stdlib_module_names}}
    assert not {other for other in outside if not inside(other, room.libraries)}
    if room.pure:
        assert not {other for other in imported if inside(other, WORLD)}


def test_every_room_exists() -> None:
    assert {name for name in ROOMS if name not in MODULES} == set()
