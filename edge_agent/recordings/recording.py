"""The one value type of a recorded session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from edge_agent.signals.frame import Frame

CHANNELS = ("heart_rate_bpm", "speed_mps", "cadence_rpm", "power_w", "altitude_m")


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What became of one channel's samples on their way to the 1 Hz grid.

    Attributes:
        read: samples with a number in them.
        implausible: of these, outside of what a sensor on a person can measure; they count as missing.
        merged: of the others, those that gave way to a later one in the same second.
        held: seconds without a sample of their own, in which the one before still stands.
    """

    read: int
    implausible: int
    merged: int
    held: int


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A session on the 1 Hz grid.

    Attributes:
        person: who was recorded, as the layout names them; only ever compared.
        session: name of the session, unique within the person; sorts in time order where the layout allows.
        sport: `running`, `cycling`, ... in lower case, `unknown` where the layout does not say.
        source: the layout or data set it was read from.
        licence: SPDX identifier of the data's licence, or `own` for a user's own files.
        started_at: wall time of second 0, in UTC; None where the layout does not say.
        channels: a subset of `CHANNELS`, each float32 of shape (seconds,), NaN where missing: index i is second i,
            so a pause in the file is a run of NaN.
        rr_intervals_ms: second to the beat-to-beat intervals (ms) recorded in it.
        cleaning: by channel of the file, those that had no valid value included.
    """

    person: str
    session: str
    sport: str
    source: str
    licence: str
    started_at: datetime | None
    channels: Mapping[str, NDArray[np.float32]]
    rr_intervals_ms: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    cleaning: Mapping[str, Cleaning] = field(default_factory=dict)

    @property
    def duration_s(self) -> int:
        """Seconds from the first to the last sample, both counted."""
        return len(next(iter(self.channels.values()), ()))

    def frames(self) -> Iterator[Frame]:
        """Play the recording as the 1 Hz frames a live session would give."""
        columns = {name: values.tolist() for name, values in self.channels.items()}
        for t_s in range(self.duration_s):
            present = {name: v for name, values in columns.items() if (v := values[t_s]) == v}  # not NaN
            yield Frame(t_s=t_s, rr_intervals_ms=self.rr_intervals_ms.get(t_s, ()), **present)
