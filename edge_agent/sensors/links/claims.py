"""The sensors that `edge-agent pair` claimed: a small file beside the journal."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edge_agent.config import Role, SensorConfig
from edge_agent.errors import ConfigError

FILE_NAME = "sensors.json"


class Claims:
    """The file; it holds addresses, so its owner alone may read it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME

    def read(self) -> tuple[SensorConfig, ...]:
        """What is claimed, in the order of pairing.

        Raises:
            ConfigError: the file is not what `edge-agent pair` wrote.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=tuple[SensorConfig, ...])
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError) as error:
            msg = f"{self.path}: cannot be read ({error}); move it aside and pair the sensors again"
            raise ConfigError(msg) from error

    def write(self, claims: Sequence[SensorConfig]) -> None:
        """Replace the file, whole or not at all.

        Raises:
            ConfigError: the folder cannot be written.
        """
        scratch = self.path.with_suffix(".new")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(list(claims)), indent=2))
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(self.path)
        except OSError as error:
            msg = f"{self.path}: cannot be written ({error.strerror}); check the folder's owner and its free space"
            raise ConfigError(msg) from error

    def changed_ns(self) -> int:
        """When the file was last replaced; 0 without one."""
        try:
            return self.path.stat().st_mtime_ns
        except OSError:
            return 0


def allow_list(listed: Sequence[SensorConfig], claimed: Sequence[SensorConfig]) -> tuple[SensorConfig, ...]:
    """Every sensor that may be connected, in order of preference: the configuration's own, then the claimed ones."""
    return (*listed, *(claim for claim in claimed if claim not in listed))


def labels(sensors: Sequence[SensorConfig]) -> list[tuple[str, SensorConfig]]:
    """What the log calls each sensor: role and number, since the log must not say who was where."""
    numbers: Counter[Role] = Counter()
    labelled = []
    for sensor in sensors:
        numbers[sensor.role] += 1
        labelled.append((f"{sensor.role.value} {numbers[sensor.role]}", sensor))
    return labelled
