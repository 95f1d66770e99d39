"""The manual names every command, key and metric that there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from prometheus_client import generate_latest

from edge_agent.broker import BrokerConfig
from heartline_backend.config import (
    ApiConfig,
    BackendConfig,
    MetricsConfig,
    RabbitMqConfig,
    SharedBrokerConfig,
    StoreConfig,
)
from heartline_backend.metrics import Metrics

MANUAL = (Path(__file__).parents[2] / "docs" / "backend.md").read_text(encoding="utf-8")


def test_every_command_is_in_it() -> None:
    command = [sys.executable, "-m", "heartline_backend.cli", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    commands = re.findall(r"^    ([a-z-]+)", shown, re.MULTILINE)
    assert "run" in commands
    assert [name for name in commands if not re.search(rf"`{name}[ `\[]", MANUAL)] == []


@pytest.mark.parametrize(
    "section", [BackendConfig, StoreConfig, BrokerConfig, SharedBrokerConfig, RabbitMqConfig, MetricsConfig, ApiConfig]
)
def test_every_key_is_in_it(section: type[msgspec.Struct]) -> None:
    keys = [field.encode_name for field in msgspec.structs.fields(section)]
    assert [key for key in keys if f"`{key}`" not in MANUAL and f"`[{key}]`" not in MANUAL] == []


def test_every_metric_is_in_it() -> None:
    shown = generate_latest(Metrics().registry).decode()
    names = {re.sub(r"_(total|created)$", "", name) for name in re.findall(r"^# TYPE (\w+)", shown, re.MULTILINE)}
    assert len(names) > 8
    assert [name for name in names if name not in MANUAL and name.replace("heartline_messages", "") not in MANUAL] == []
