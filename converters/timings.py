"""Times once measured, kept beside the trained model.

Which form wins rests on times, and times differ from run to run. With those of the first conversion at hand, the same
model gives the same bundle again, to the byte; delete the file to measure anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import platform
from pathlib import Path

import msgspec

from converters.verify import Comparison
from edge_agent.inference.archive import sha256
from training.machine import processor

TIMINGS = "timings.json"


class _Timing(msgspec.Struct, frozen=True):
    us: float
    us_low: float
    us_high: float
    peak_mb: float


class Timings:
    """The times in a file, by what was run where."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            self._known = msgspec.json.decode(file.read_bytes(), type=dict[str, _Timing])
        except (OSError, msgspec.MsgspecError):
            self._known = {}

    def of(self, comparison: Comparison, model: bytes) -> Comparison:
        """The comparison with the times that are kept of this model, or, where there are none, kept from now on."""
        key = f"{comparison.recipe} {sha256(model)}: {comparison.versions}, {platform.machine()} {processor()}"
        if key not in self._known:
            self._known[key] = _Timing(comparison.us, comparison.us_low, comparison.us_high, comparison.peak_mb)
            with contextlib.suppress(OSError):  # a folder that cannot be written is measured again next time
                self._file.write_bytes(msgspec.json.format(msgspec.json.encode(self._known)))
        return dataclasses.replace(comparison, **msgspec.structs.asdict(self._known[key]))
