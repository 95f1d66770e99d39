"""Reader of GoldenCheetah OpenData: one zip file per athlete, or the same unpacked into a folder.

    {ID}.json                  `RIDES`: of each activity its `date` in UTC, its `sport`, and metrics that are not read
    YYYY_MM_DD_HH_MM_SS.csv    one per activity, named in the athlete's local time: `secs,km,power,hr,cad,alt`

A zip file is read member by member into memory and never unpacked to disk: what its members are called is only ever
compared. Distances carry six significant digits.

Source: osf.io/6hfpz, doi 10.17605/OSF.IO/6HFPZ.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings.files import number, parse_table, read_bytes
from edge_agent.recordings.grid import (
    MAX_FILE_BYTES,
    SMART_RECORDING_S,
    Samples,
    smart_recording_hold_s,
    to_recording,
)
from edge_agent.recordings.recording import Recording
from edge_agent.recordings.sports import sport_name

SOURCE: Final = "golden-cheetah"
REQUIRED: Final = ("secs", "km", "hr")

_COLUMNS: Final = ("secs", "km", "power", "hr", "cad", "alt")
_ACTIVITY: Final = re.compile(r"\d{4}(_\d\d){5}\.csv", re.ASCII)

# Two hours a day for 14 years. On the grid that is 0.7 GB; as text, at 30 bytes a row, 1.1 GB.
_MAX_ATHLETE_S: Final = 10_000 * 3600
_MAX_UNPACKED_BYTES: Final = 2 * 2**30
# The text packs to about a fifth. The members' directory is part of it: this bounds how many there can be.
_MAX_ZIP_BYTES: Final = 256 * 2**20
# The metrics of an activity take about 15 kB, and 10,000 h are some 10,000 activities.
_MAX_JSON_BYTES: Final = 256 * 2**20

# Beyond 100 km the digits are a metre apart: over this window that is 0.2 m/s. A speed of one second would jump by 1.
_SPEED_WINDOW_S: Final = 5.0
# Some programs count both feet. One leg makes 70-100 steps a minute in running, both 140-200.
_BOTH_FEET_RPM: Final = 120.0

# Local time is a whole number of these away from UTC, in all time zones.
_OFFSET_STEP: Final = timedelta(minutes=15)
_OFFSETS: Final = (timedelta(hours=-12), timedelta(hours=14))

_Members = Mapping[str, Callable[[int], bytes]]


class _Ride(msgspec.Struct):
    date: Any = None
    sport: Any = None


class _Athlete(msgspec.Struct):
    rides: list[_Ride] = msgspec.field(default_factory=list, name="RIDES")


def is_activity(path: Path) -> bool:
    """Whether a file is named as an activity of the layout."""
    return _ACTIVITY.fullmatch(path.name) is not None


def is_athlete(path: Path) -> bool:
    """Whether a zip file holds an activity of the layout.

    Raises:
        RecordingError: it is no zip file, or larger than any of the layout.
    """
    with _zip_members(path) as members:
        return any(is_activity(Path(name)) for name in members)


def read_athlete(path: Path) -> Iterator[Recording | RecordingError]:
    """Read all activities of an athlete.

    Args:
        path: zip file, or folder that one was unpacked into.

    Yields:
        Each activity in order of its name, or what is wrong with it.

    Raises:
        RecordingError: the zip file cannot be read at all.
    """
    if path.is_dir():
        yield from _read(path, _folder_members(path))
    else:
        with _zip_members(path) as members:
            yield from _read(path, members)


def read_activity(path: Path) -> Iterator[Recording | RecordingError]:
    """Read one unpacked activity, with what the description beside it says."""
    members = {n: read for n, read in _folder_members(path.parent).items() if n == path.name or n.endswith(".json")}
    return _read(path.parent, members, [path.name])


def _read(folder: Path, members: _Members, activities: list[str] | None = None) -> Iterator[Recording | RecordingError]:
    activities = activities or sorted(name for name in members if is_activity(Path(name)))
    person = (folder.resolve().name if folder.is_dir() else folder.stem).strip("{}")
    starts = _Starts(activities)
    for name in sorted(name for name in members if name.endswith(".json")):
        try:
            starts.add(_rides(folder / name, members[name](_MAX_JSON_BYTES)))
        except RecordingError as error:
            yield error
    total_s = 0
    for name in activities:
        try:
            recording = _read_activity(folder / name, members[name](MAX_FILE_BYTES), person, *starts.of(name))
        except RecordingError as error:
            yield error
            continue
        total_s += recording.duration_s
        if total_s > _MAX_ATHLETE_S:
            yield RecordingError(folder, f"more than {_MAX_ATHLETE_S // 3600} h of activities", "split it by years")
            return
        yield recording


def _folder_members(folder: Path) -> _Members:
    return {file.name: partial(read_bytes, file) for file in folder.iterdir() if file.is_file()}


@contextmanager
def _zip_members(path: Path) -> Iterator[_Members]:
    try:
        if path.stat().st_size > _MAX_ZIP_BYTES:
            raise RecordingError(
                path, f"the file is larger than {_MAX_ZIP_BYTES // 2**20} MiB", "unpack it into a folder"
            )
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise RecordingError(
            path, error.strerror or str(error), "check that the file exists and that you may read it"
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise RecordingError(path, f"not a whole zip file ({error})", "download or copy it again") from error
    with archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > _MAX_UNPACKED_BYTES:
            raise RecordingError(
                path, f"it unpacks to more than {_MAX_UNPACKED_BYTES // 2**30} GiB", "leave this file out"
            )
        # The last part of a name is all that is looked at; of two members that share it the first one counts.
        yield {PurePosixPath(info.filename).name: partial(_unpack, path, archive, info) for info in reversed(infos)}


def _unpack(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most_bytes: int) -> bytes:
    member = path / PurePosixPath(info.filename).name
    if info.file_size > most_bytes:
        raise RecordingError(
            member, f"it unpacks to more than {most_bytes // 2**20} MiB", "split it into single sessions"
        )
    # Other methods expand whole blocks before a bound on the result can stop them.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise RecordingError(member, "packed with another method than deflate", "pack it again")
    try:
        with archive.open(info) as content:  # gives no more than `file_size`, and checks the CRC
            return content.read()
    except Exception as error:  # zlib, struct and zipfile each raise their own kinds on damaged data
        reason = str(error) or type(error).__name__
        raise RecordingError(member, f"damaged in the zip file ({reason})", "download or copy it again") from error


def _rides(path: Path, content: bytes) -> list[_Ride]:
    try:
        return msgspec.json.decode(content, type=_Athlete).rides
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RecordingError(
            path, f"not an athlete's description ({error})", "without it, sport and start are unknown; copy it again"
        ) from error


class _Starts:
    """Tells which ride of the description an activity is: the names say local time, the description UTC."""

    def __init__(self, activities: list[str]) -> None:
        self._local = {name: time for name in activities if (time := _time(name, "%Y_%m_%d_%H_%M_%S.csv")) is not None}
        self._candidates: dict[str, list[tuple[datetime, str]]] = {name: [] for name in activities}

    def add(self, rides: list[_Ride]) -> None:
        # Which quarter of an hour it is differs by place, the minutes and seconds in it do not.
        by_phase: dict[timedelta, list[tuple[datetime, str]]] = {}
        for ride in rides:
            if isinstance(ride.date, str) and (start := _time(ride.date, "%Y/%m/%d %H:%M:%S UTC")) is not None:
                by_phase.setdefault(_phase(start), []).append((start, sport_name(ride.sport)))
        for name, local in self._local.items():
            for start, sport in by_phase.get(_phase(local), ()):
                if _OFFSETS[0] <= local - start <= _OFFSETS[1]:
                    self._candidates[name].append((start, sport))

    def of(self, name: str) -> tuple[datetime | None, str]:
        """Start in UTC and sport of an activity; None and `unknown` where the description does not say."""
        candidates = self._candidates[name]
        if len(candidates) > 1:  # then the one that makes the athlete travel least
            offsets = Counter(self._local[n] - c[0][0] for n, c in self._candidates.items() if len(c) == 1)
            usual = offsets.most_common(1)[0][0] if offsets else timedelta()
            candidates = [min(candidates, key=lambda c: abs(self._local[name] - c[0] - usual))]
        return candidates[0] if candidates else (None, "unknown")


def _time(text: str, layout: str) -> datetime | None:
    try:
        return datetime.strptime(text, layout).replace(tzinfo=UTC)
    except ValueError:
        return None


def _phase(time: datetime) -> timedelta:
    return (time - datetime.min.replace(tzinfo=UTC)) % _OFFSET_STEP


def _read_activity(path: Path, content: bytes, person: str, started_at: datetime | None, sport: str) -> Recording:
    table = parse_table(path, content, dict.fromkeys(_COLUMNS, number), REQUIRED)
    # A channel that is zero throughout was not recorded: some programs write so what others leave empty.
    columns = {name: values for name, values in table.columns.items() if name == "secs" or any(values)}
    channels = {
        ours: columns[name]
        for ours, name in (("heart_rate_bpm", "hr"), ("power_w", "power"), ("altitude_m", "alt"))
        if name in columns
    }
    if "km" in columns:
        channels["speed_mps"] = _speed_mps(np.array(columns["secs"]), np.array(columns["km"])).tolist()
    if "cad" in columns:
        channels["cadence_rpm"] = _one_leg(np.array(columns["cad"]), sport).tolist()
    return to_recording(
        Samples(
            path=path,
            t_s=columns["secs"],
            channels=channels,
            lines=table.lines,
            hold_s=smart_recording_hold_s(columns["secs"]),
        ),
        person=person,
        session=path.stem,
        sport=sport,
        source=SOURCE,
        licence="CC0-1.0",
        started_at=started_at,
    )


def _speed_mps(t_s: NDArray[np.float64], km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean speed over the window that ends with each sample; NaN at the start and after a pause."""
    order = np.argsort(t_s, kind="stable")
    t_s, km = t_s[order], km[order]
    samples = np.arange(len(t_s))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        broken = ~((np.diff(t_s) <= SMART_RECORDING_S) & (np.diff(km) >= 0))
        resumed = np.maximum.accumulate(np.where(np.concatenate([[True], broken]), samples, 0))
        window = np.minimum(np.searchsorted(t_s, t_s - _SPEED_WINDOW_S), samples - 1)
        first = np.maximum(window, resumed)
        speed_mps = 1000 * (km - km[first]) / (t_s - t_s[first])
    result = np.empty(len(order))
    result[order] = speed_mps
    return result


def _one_leg(cadence_rpm: NDArray[np.float64], sport: str) -> NDArray[np.float64]:
    moving = cadence_rpm[cadence_rpm > 0]
    both_feet = sport == "running" and moving.size and np.median(moving) > _BOTH_FEET_RPM
    return cadence_rpm / 2 if both_feet else cadence_rpm
