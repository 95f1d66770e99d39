"""Reader of the neutral layout: `<root>/<person>/<session>.csv`, the project's own.

The header names any of `t_s,heart_rate_bpm,speed_mps,cadence_rpm,power_w,altitude_m,rr_ms` in any order; `t_s` and
`heart_rate_bpm` must be there, other columns are ignored. `t_s` counts seconds from the start of the session; it may
be fractional, and it may jump over a pause. An empty cell is missing. `rr_ms` holds the beat-to-beat intervals that
came since the row before, joined by `;`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_agent.recordings.files import number, read_table
from edge_agent.recordings.grid import Samples, to_recording
from edge_agent.recordings.recording import CHANNELS, Recording

SOURCE: Final = "neutral"
REQUIRED: Final = ("t_s", "heart_rate_bpm")


def read(path: Path) -> Recording:
    """Read one session.

    Raises:
        RecordingError: the file does not follow the layout.
    """
    table = read_table(path, dict.fromkeys(("t_s", *CHANNELS), number) | {"rr_ms": _intervals}, REQUIRED)
    return to_recording(
        Samples(
            path=path,
            t_s=table.columns["t_s"],
            channels={name: table.columns[name] for name in CHANNELS if name in table.columns},
            rr_intervals_ms=table.columns.get("rr_ms", ()),
            lines=table.lines,
        ),
        person=path.parent.resolve().name,
        session=path.stem,
        sport="unknown",
        source=SOURCE,
        licence="own",
    )


def _intervals(cell: str) -> tuple[float, ...]:
    return tuple(float(value) for value in cell.split(";") if value and not value.isspace())
