"""Reader of FIT activity files, through fitdecode."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import nan
from pathlib import Path
from typing import Any, Final

from edge_agent.errors import RecordingError
from edge_agent.recordings.files import read_bytes
from edge_agent.recordings.grid import MAX_SAMPLES, Samples, smart_recording_hold_s, to_recording
from edge_agent.recordings.recording import Recording
from edge_agent.recordings.sports import sport_name

SOURCE: Final = "fit"
FIT_EPOCH: Final = datetime(1989, 12, 31, tzinfo=UTC)  # FIT protocol: date_time counts seconds from here

# fitdecode expands the older `speed` and `altitude` fields into the enhanced ones, as the profile says.
_CHANNELS: Final = {
    "heart_rate_bpm": "heart_rate",
    "speed_mps": "enhanced_speed",
    "cadence_rpm": "cadence",  # of one leg when running
    "power_w": "power",
    "altitude_m": "enhanced_altitude",
}


def read(path: Path) -> Recording:
    """Read the `record`, `hrv` and `session` messages of an activity; chained files count as one recording.

    `hrv` messages carry no time of their own: their intervals belong to the record before them.

    Raises:
        RecordingError: not a FIT file, cut off, or its checksum does not match.
    """
    epoch_s: list[int] = []
    channels: dict[str, list[float]] = {name: [] for name in _CHANNELS}
    rr_intervals_ms: list[tuple[float, ...]] = []
    sport = "unknown"
    for message in _messages(path):
        match message.name:
            case "record":
                time_s = message.get_raw_value("timestamp", fallback=None)
                if not isinstance(time_s, int):
                    continue
                if len(epoch_s) == MAX_SAMPLES:
                    raise RecordingError(path, f"more than {MAX_SAMPLES} records", "split it into single sessions")
                epoch_s.append(time_s)
                rr_intervals_ms.append(())
                for ours, name in _CHANNELS.items():
                    channels[ours].append(_scalar(message.get_value(name, fallback=None)))
            case "hrv" if rr_intervals_ms:
                times_s = message.get_value("time", fallback=None)
                times_s = times_s if isinstance(times_s, tuple) else (times_s,)
                rr_intervals_ms[-1] += tuple(1000 * _scalar(time_s) for time_s in times_s)
            case "sport" | "session" if sport == "unknown":
                sport = sport_name(message.get_value("sport", fallback=None))
    start_s = min(epoch_s, default=0)
    return to_recording(
        Samples(
            path=path,
            t_s=[time_s - start_s for time_s in epoch_s],
            channels=channels,
            rr_intervals_ms=rr_intervals_ms,
            hold_s=smart_recording_hold_s(epoch_s),
        ),
        person=path.parent.resolve().name,
        session=path.name,  # with its suffix: the same session is often exported in two formats
        sport=sport,
        source=SOURCE,
        licence="own",
        started_at=FIT_EPOCH + timedelta(seconds=start_s) if epoch_s else None,
    )


def _messages(path: Path) -> Iterator[Any]:
    # Loaded here, since most sessions come from a strap and never see a file.
    import fitdecode  # noqa: PLC0415

    try:
        # No processor: raw time stamps are all that is needed. Malformed developer fields are common in the files of
        # real devices and are no reason to refuse one whose checksum holds.
        with fitdecode.FitReader(
            io.BytesIO(read_bytes(path)),
            processor=None,
            check_crc=fitdecode.CrcCheck.RAISE,
            error_handling=fitdecode.ErrorHandling.IGNORE,
        ) as reader:
            for frame in reader:
                if frame.frame_type == fitdecode.FIT_FRAME_DATA:
                    yield frame
    except RecordingError:
        raise
    except Exception as error:  # on hostile bytes the decoder raises whatever its own code runs into
        raise RecordingError(
            path, f"not a complete FIT file ({str(error) or type(error).__name__})", "export or copy it again"
        ) from error


def _scalar(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else nan
