"""Reader of TCX (Training Center XML) files, through tcxreader."""

from __future__ import annotations

import contextlib
import io
from datetime import UTC, datetime
from math import nan
from pathlib import Path
from typing import Any, Final
from xml.parsers import expat

from edge_agent.errors import RecordingError
from edge_agent.recordings.files import read_bytes
from edge_agent.recordings.grid import MAX_DURATION_S, Samples, smart_recording_hold_s, to_recording
from edge_agent.recordings.recording import Recording
from edge_agent.recordings.sports import sport_name

SOURCE: Final = "tcx"

# A track point with position and extensions has a dozen elements. The tree takes some 100 bytes for each.
_MAX_ELEMENTS: Final = 12 * MAX_DURATION_S
_REMEDY: Final = "export it again from the device or service that wrote it"


def read(path: Path) -> Recording:
    """Read the track points of an activity; several activities in one file count as one recording.

    The library takes a value that is not a number for a missing one.

    Raises:
        RecordingError: not well-formed XML, with a document type declaration, or not the layout.
    """
    data = read_bytes(path)
    _check_xml(path, data)
    exercise = _parse(path, data)
    points = exercise.trackpoints
    epoch_s = [_epoch_s(point.time) for point in points]
    start_s = min(epoch_s, default=0.0)
    return to_recording(
        Samples(
            path=path,
            t_s=[time_s - start_s for time_s in epoch_s],
            channels={
                "heart_rate_bpm": [_value(point.hr_value) for point in points],
                "speed_mps": [_value(point.tpx_ext.get("Speed")) for point in points],
                # The pod's cadence when running, of one leg; the crank's otherwise.
                "cadence_rpm": [_value(point.tpx_ext.get("RunCadence", point.cadence)) for point in points],
                "power_w": [_value(point.tpx_ext.get("Watts")) for point in points],
                "altitude_m": [_value(point.elevation) for point in points],
            },
            hold_s=smart_recording_hold_s(epoch_s),
        ),
        person=path.parent.resolve().name,
        session=path.name,  # with its suffix: the same session is often exported in two formats
        sport=sport_name(exercise.activity_type),
        source=SOURCE,
        licence="own",
        started_at=datetime.fromtimestamp(start_s, UTC) if points else None,
    )


def _check_xml(path: Path, data: bytes) -> None:
    """Refuse what must not reach the tree builder: entities, which may expand without end, and huge trees."""
    elements = 0

    def refuse_doctype(*_: object) -> None:
        raise RecordingError(
            path, "a document type declaration, which TCX never has", _REMEDY, line=parser.CurrentLineNumber
        )

    def count_element(*_: object) -> None:
        nonlocal elements
        elements += 1
        if elements > _MAX_ELEMENTS:
            raise RecordingError(
                path,
                f"more than {_MAX_ELEMENTS} elements",
                "split it into single sessions",
                line=parser.CurrentLineNumber,
            )

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse_doctype
    parser.StartElementHandler = count_element
    try:
        parser.Parse(data, True)
    except RecordingError:
        raise
    except Exception as error:  # the parser's own, and whatever the codec of a declared encoding raises
        reason = expat.ErrorString(error.code) if isinstance(error, expat.ExpatError) else error
        raise RecordingError(path, f"not well-formed XML ({reason})", _REMEDY, line=parser.CurrentLineNumber) from error


def _parse(path: Path, data: bytes) -> Any:  # noqa: ANN401 - the library has no types
    # Loaded here, since most sessions come from a strap and never see a file.
    from tcxreader.tcxreader import TCXReader  # noqa: PLC0415

    try:
        # The library prints what it stumbles over, and by default drops the points without a position.
        with contextlib.redirect_stdout(None):
            exercise = TCXReader().read(io.BytesIO(data), only_gps=False)
    except Exception as error:  # on values it does not expect the library raises whatever its code runs into
        raise RecordingError(path, f"not the TCX layout ({str(error) or type(error).__name__})", _REMEDY) from error
    if any(point.time is None for point in exercise.trackpoints):
        raise RecordingError(path, "a track point without time", _REMEDY)
    return exercise


def _epoch_s(time: datetime) -> float:
    # The library gives times that end in Z without a time zone.
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _value(value: float | None) -> float:
    return nan if value is None else value
