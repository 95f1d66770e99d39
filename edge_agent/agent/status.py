"""The sensors' state, for whoever asks while the agent runs: in a small file beside the journal."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from pathlib import Path

import msgspec

from edge_agent.agent.clock import Clock
from edge_agent.agent.recorder import Recorder
from edge_agent.inference.activity import CurrentActivity
from edge_agent.inference.recovery import Recovery
from edge_agent.sensors.links.links import Links
from edge_agent.sensors.links.states import AdapterFault, SensorStatus

log = logging.getLogger(__name__)

FILE_NAME = "status.json"

# A change shows after this long; without one the file is left alone for a minute, an SD card wears by every write.
LOOK_S = 5.0
REWRITE_S = 60.0


class Status(msgspec.Struct, frozen=True):
    """What the agent knows of its sensors.

    Attributes:
        at: when; wall time.
        adapter_fault: why Bluetooth cannot be used, None when it can.
        sensors: in order of preference.
        sources: by athlete and quantity, the label of the sensor that counts.
        activities: by athlete of whom acceleration is taken, what is done; None while none comes, or not for five
            seconds yet.
        recoveries: by athlete who recovers from an effort, for two minutes, how that goes on.
    """

    at: datetime
    adapter_fault: AdapterFault | None
    sensors: tuple[SensorStatus, ...]
    sources: dict[str, dict[str, str]]
    activities: dict[str, CurrentActivity | None] = {}
    recoveries: dict[str, Recovery] = {}


async def keep_status(links: Links, recorder: Recorder, directory: Path, clock: Clock) -> None:
    """Keep the file up to date until cancelled."""
    path = directory / FILE_NAME
    written: object = None
    written_s = clock.monotonic_s()
    try:
        while True:
            status = current_status(links, recorder, clock)
            state = (
                status.adapter_fault,
                status.sources,
                [_state(sensor) for sensor in status.sensors],
                {athlete: _known(doing) for athlete, doing in status.activities.items()},
                status.recoveries,
            )
            if state != written or clock.monotonic_s() - written_s >= REWRITE_S:
                _write(path, status)
                written, written_s = state, clock.monotonic_s()
            await clock.sleep(LOOK_S)
    finally:
        _write(path, current_status(links, recorder, clock))


def current_status(links: Links, recorder: Recorder, clock: Clock) -> Status:
    """As it is now."""
    sources = {
        athlete: {quantity.value: label for quantity, label in by_quantity.items()}
        for athlete, by_quantity in recorder.sources().items()
    }
    return Status(
        clock.now(),
        links.adapter_fault,
        tuple(links.status()),
        sources,
        recorder.activities(),
        recorder.recoveries(),
    )


def read_status(directory: Path) -> Status | None:
    """What an agent wrote last; None when none has."""
    try:
        return msgspec.json.decode((directory / FILE_NAME).read_bytes(), type=Status)
    except (OSError, msgspec.MsgspecError):
        return None


def _state(sensor: SensorStatus) -> object:
    """What of it is worth a write."""
    return msgspec.structs.replace(sensor, frame_age_s=None, frames=0, malformed_packets=0)


def _known(doing: CurrentActivity | None) -> object:
    """What of it is worth a write; the probability is another one every five seconds."""
    return doing and (doing.label, doing.unknown)


def _write(path: Path, status: Status) -> None:
    """Replace the file; one that was cut off is only not read, so nothing is forced to the disk."""
    scratch = path.with_suffix(".new")
    try:
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(status))
        scratch.replace(path)
    except OSError as error:
        log.warning("status: cannot be written (%s)", error.strerror)
