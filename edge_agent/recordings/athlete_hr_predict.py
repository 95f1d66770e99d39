"""Reader of the `athlete-hr-predict` data set: outdoor runs of one runner, one CSV file per run, 1 Hz.

Source: github.com/rikluost/athlete_hr_predict, exported from FIT.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from edge_agent.recordings.files import number, read_table
from edge_agent.recordings.grid import Samples, to_recording
from edge_agent.recordings.recording import Recording

SOURCE: Final = "athlete-hr-predict"

# `power` is not among them: in all 30,152 rows where the files fill it, it only repeats `temperature` (and so does
# `calories`).
_CHANNELS: Final = {
    "heart_rate_bpm": "heart_rate",
    "speed_mps": "enhanced_speed",
    "cadence_rpm": "cadence",  # of one leg, as in FIT: about 85 when running
    "altitude_m": "enhanced_altitude",
}
REQUIRED: Final = ("timestamp", "heart_rate", "enhanced_speed")


def read(path: Path) -> Recording:
    """Read one run.

    Raises:
        RecordingError: the file does not follow the layout.
    """
    table = read_table(path, {"timestamp": _epoch_s} | dict.fromkeys(_CHANNELS.values(), number), REQUIRED)
    epoch_s = np.array(table.columns["timestamp"])
    return to_recording(
        Samples(
            path=path,
            t_s=epoch_s - epoch_s.min(),
            channels={ours: table.columns[name] for ours, name in _CHANNELS.items() if name in table.columns},
            lines=table.lines,
        ),
        person=SOURCE,
        session=path.name.removesuffix(".csv").removesuffix(".fit"),
        sport="running",
        source=SOURCE,
        licence="MIT",
        started_at=datetime.fromtimestamp(epoch_s.min(), UTC),
    )


def _epoch_s(cell: str) -> float:
    time = datetime.fromisoformat(cell)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
