"""What an import costs the device: the modules that it loads, in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.imports import REPOSITORY

# Extras, never on the device.
EXTRAS = {
    "amqtt",
    "bumble",
    "dask",
    "distributed",
    "keras",
    "matplotlib",
    "sklearn",
    "tensorflow",
    "tqdm",
    "training",
    "psycopg",
    "prometheus_client",
    "starlette",
    "uvicorn",
    "heartline_backend",
} | {"converters"}


def _loads(statement: str) -> set[str]:
    """Top-level modules that are loaded after a statement."""
    quiet = "import sys, contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n "
    code = f"{quiet}{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return {module.partition(".")[0] for module in done.stdout.split()}


def test_the_package_alone_loads_nothing_but_itself() -> None:
    bare = _loads("pass")
    assert _loads("import edge_agent") - bare == {"edge_agent", "__future__"}


@pytest.mark.parametrize(
    "statement",
    ["import edge_agent.cli", "from edge_agent.cli import main; main(['decode', '2a37', '143C0004'])"],
    ids=["the command", "decode"],
)
def test_a_quick_command_loads_neither_arrays_nor_bluetooth_nor_a_broker(statement: str) -> None:
    loaded = _loads(statement)
    assert "edge_agent" in loaded
    assert not loaded & (EXTRAS | {"numpy", "bleak", "dbus_fast", "paho", "sqlite3", "fitdecode", "tcxreader"})


def test_the_agent_loads_nothing_of_the_extras_nor_of_recorded_files() -> None:
    loaded = _loads("import edge_agent.agent.agent, edge_agent.sensors.links.scan")
    assert {"bleak", "numpy", "paho", "sqlite3"} <= loaded
    assert not loaded & (EXTRAS | {"fitdecode", "tcxreader"})


def test_a_bundle_is_scored_without_tensorflow_beside_which_a_runtime_crashes() -> None:
    loaded = _loads("import training.device, training.recovery.populations")
    assert "training" in loaded
    assert not loaded & {"keras", "tensorflow"}
