"""Small files of each layout, as their own programs write them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fit_tool.fit_file_builder import FitFileBuilder
from fit_tool.profile.messages.file_id_message import FileIdMessage
from fit_tool.profile.messages.hrv_message import HrvMessage
from fit_tool.profile.messages.record_message import RecordMessage
from fit_tool.profile.messages.session_message import SessionMessage
from fit_tool.profile.profile_type import FileType, Sport

START = datetime(2024, 3, 31, 0, 59, 55, tzinfo=UTC)  # local time jumps in Europe five seconds later

NEUTRAL = "t_s,heart_rate_bpm\n0,100\n1,101\n"
ATHLETE = (
    "timestamp,heart_rate,cadence,enhanced_altitude,enhanced_speed,power\n"
    "2021-04-17 21:57:41+00:00,90,80,16.5,2.5,20\n"
    "2021-04-17 21:57:42+00:00,91,81,16.6,2.6,20\n"
)
SRM = "sec,speed,cadence,power,altitude\n0.0,36.0,90.0,200.0,50.0\n1.0,18.0,91.0,201.0,50.0\n"
BREATHS = "sec,hr,ve\n-2.0,79.0,20\n0.0,80.0,20\n1.0,82.0,20\n"


def fit_activity(
    times_s: Sequence[int],
    *,
    rr_intervals_s: Sequence[float] = (),
    sport: Sport | None = Sport.CYCLING,
    **fields: float,
) -> bytes:
    """A FIT activity: a record at each time with heart rate 100 + t and `fields`, an hrv message after each."""
    builder = FitFileBuilder()
    start_ms = round(START.timestamp() * 1000)
    identity = FileIdMessage()
    identity.type = FileType.ACTIVITY
    identity.time_created = start_ms
    builder.add(identity)
    for time_s in times_s:
        record = RecordMessage()
        record.timestamp = start_ms + 1000 * time_s
        for name, value in {"heart_rate": 100 + time_s, **fields}.items():
            setattr(record, name, value)
        builder.add(record)
        if rr_intervals_s:
            hrv = HrvMessage()
            hrv.time = list(rr_intervals_s)
            builder.add(hrv)
    if sport is not None:
        session = SessionMessage()
        session.timestamp = start_ms
        session.sport = sport
        builder.add(session)
    return bytes(builder.build_bytes())


def track_point(time_s: float, *elements: str) -> str:
    """A TCX track point; give no time zone but Z, as Garmin does."""
    time = (START + timedelta(seconds=time_s)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"<Trackpoint><Time>{time}</Time>{''.join(elements)}</Trackpoint>"


def heart_rate(bpm: object) -> str:
    return f"<HeartRateBpm><Value>{bpm}</Value></HeartRateBpm>"


def extension(**values: object) -> str:
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in values.items())
    return f'<Extensions><TPX xmlns="http://www.garmin.com/xmlschemas/ActivityExtension/v2">{inner}</TPX></Extensions>'


def tcx_activity(*points: str, sport: str = "Biking", prologue: str = "") -> str:
    """A TCX activity of one lap."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{prologue}'
        '<TrainingCenterDatabase xmlns="http://www.garmin.com/xmlschemas/TrainingCenterDatabase/v2">\n'
        f'<Activities><Activity Sport="{sport}"><Id>2024-03-31T00:59:55Z</Id>\n'
        '<Lap StartTime="2024-03-31T00:59:55Z"><TotalTimeSeconds>9</TotalTimeSeconds><Calories>1</Calories>\n'
        f"<Track>\n{chr(10).join(points)}\n</Track></Lap></Activity></Activities></TrainingCenterDatabase>\n"
    )


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
