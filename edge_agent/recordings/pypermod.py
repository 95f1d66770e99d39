"""Reader of the `pypermod` data set: laboratory cycling to exhaustion, two CSV files per session.

`NAME.csv` holds power, cadence and speed (km/h) of the ergometer at 1 Hz, `NAME-bbb.csv` heart rate and gas exchange
per breath. The ergometer's clock is the session's. `NAME.json` describes the protocol and is not needed here: its
`bbb_offset` has *already been added* to the `sec` of the published breath files. (The first breath stands at
`bbb_offset`, and heart rate peaks where the effort ends; to add it again would move heart rate by up to 80 s.)

`altitude` is not read: the column holds the protocol's target power in W, 50 in warm-up and recovery.

Source: github.com/faweigend/pypermod; Weigend et al. 2023, Ann Oper Res 325:589.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_agent.recordings.files import number, read_table
from edge_agent.recordings.grid import Samples, to_recording
from edge_agent.recordings.recording import Recording

SOURCE: Final = "pypermod"
SRM_REQUIRED: Final = ("sec", "speed", "cadence", "power")
BREATHS_REQUIRED: Final = ("sec", "hr")

# Breaths are 1-4 s apart, rarely more. Held, not interpolated: a frame may not know the breath that follows it.
_HOLD_S: Final = 5
_KMH_PER_MPS: Final = 3.6


def srm_file(path: Path) -> Path:
    """The ergometer's file of the session that any of its three files belongs to."""
    return path.with_name(path.stem.removesuffix("-bbb") + ".csv")


def breaths_file(path: Path) -> Path:
    """The file of the breaths of the session that any of its three files belongs to."""
    return path.with_name(path.stem.removesuffix("-bbb") + "-bbb.csv")


def read(path: Path) -> Recording:
    """Read the session that `path`, any of its three files, belongs to.

    Raises:
        RecordingError: one of the two CSV files is missing or does not follow the layout.
    """
    path, breaths_path = srm_file(path), breaths_file(path)
    srm = read_table(path, dict.fromkeys(SRM_REQUIRED, number), SRM_REQUIRED)
    breaths = read_table(breaths_path, dict.fromkeys(BREATHS_REQUIRED, number), BREATHS_REQUIRED)
    # The mask was on before the ergometer started; those breaths are before the session.
    kept = [i for i, sec in enumerate(breaths.columns["sec"]) if not sec < 0]
    folder = path.parent.resolve()
    return to_recording(
        Samples(
            path=path,
            t_s=srm.columns["sec"],
            channels={
                "speed_mps": [kmh / _KMH_PER_MPS for kmh in srm.columns["speed"]],
                "cadence_rpm": srm.columns["cadence"],
                "power_w": srm.columns["power"],
            },
            lines=srm.lines,
        ),
        Samples(
            path=breaths_path,
            t_s=[breaths.columns["sec"][i] for i in kept],
            channels={"heart_rate_bpm": [breaths.columns["hr"][i] for i in kept]},
            lines=[breaths.lines[i] for i in kept],
            hold_s=_HOLD_S,
        ),
        person=f"{SOURCE}-{folder.parent.name if folder.name == 'SrmBbb' else folder.name}",
        session=path.stem.removeprefix("SrmBbbA"),
        sport="cycling",
        source=SOURCE,
        licence="MIT",
    )
