from __future__ import annotations

import io
import json
import pickle
import tempfile
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import RecordingError
from edge_agent.recordings import golden_cheetah
from edge_agent.recordings.read import find_sources, read_recordings
from tests.recordings.samples import NEUTRAL, fit_activity, heart_rate, tcx_activity, track_point, write

HEADER = "secs,km,power,hr,cad,alt\n"
RIDE, RUN, NIGHT = "2019_03_31_09_15_30.csv", "2019_04_01_18_00_07.csv", "2019_04_02_00_05_59.csv"
DESCRIPTION = json.dumps(
    {
        "VERSION": 1,
        "ATHLETE": {"gender": "F", "yob": "1980", "id": "{somebody}"},
        "RIDES": [
            {"date": "2019/03/31 07:15:30 UTC", "sport": "Bike", "data": "TDSPHC-A-------", "METRICS": {"x": [1, 2]}},
            {"date": "2019/04/01 16:00:07 UTC", "sport": "Run"},
            {"date": "2019/04/01 22:05:59 UTC", "sport": 7},
        ],
    }
)


def activity(seconds: int = 20, mps: float = 8.0, cadence: int = 90) -> str:
    """As the exporter writes it: every number with six significant digits, empty where the sensor was absent."""
    return HEADER + "".join(
        f"{t},{mps * t / 1000:.6g},,{120 + t},{cadence},{50 + t / 10:.6g}\n" for t in range(seconds)
    )


ATHLETE = {"{some-body}.json": DESCRIPTION, RIDE: activity(), RUN: activity(30, 3.0, 170), NIGHT: activity(10)}


def packed(members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_an_athlete_is_the_same_packed_and_unpacked(tmp_path: Path) -> None:
    packed_file = write(tmp_path / "zip" / "some-body.zip", packed(ATHLETE))
    for name, content in ATHLETE.items():
        write(tmp_path / "folder" / "{some-body}" / name, content)
    from_zip, errors = read_recordings(packed_file)
    from_folder, more_errors = read_recordings(tmp_path / "folder")
    assert errors == more_errors == []
    assert [r.session for r in from_zip] == [name.removesuffix(".csv") for name in (RIDE, RUN, NIGHT)]
    for a, b in zip(from_zip, from_folder, strict=True):
        assert (a.person, a.session, a.sport, a.started_at) == (b.person, b.session, b.sport, b.started_at)
        assert (a.person, a.licence) == ("some-body", "CC0-1.0")
        assert list(a.channels) == list(b.channels) == ["heart_rate_bpm", "speed_mps", "cadence_rpm", "altitude_m"]
        for name, values in a.channels.items():
            np.testing.assert_array_equal(values, b.channels[name])


def test_sport_and_start_come_from_the_description_through_local_time(tmp_path: Path) -> None:
    recordings, _ = read_recordings(write(tmp_path / "a.zip", packed(ATHLETE)))
    assert [(r.sport, r.started_at) for r in recordings] == [
        ("cycling", datetime(2019, 3, 31, 7, 15, 30, tzinfo=UTC)),
        ("running", datetime(2019, 4, 1, 16, 0, 7, tzinfo=UTC)),
        ("unknown", datetime(2019, 4, 1, 22, 5, 59, tzinfo=UTC)),
    ]


def test_of_two_rides_that_fit_a_name_the_usual_time_zone_decides(tmp_path: Path) -> None:
    twin = {"RIDES": [*json.loads(DESCRIPTION)["RIDES"], {"date": "2019/04/01 18:00:07 UTC", "sport": "Swim"}]}
    recordings, _ = read_recordings(write(tmp_path / "a.zip", packed(ATHLETE | {"{some-body}.json": json.dumps(twin)})))
    assert [r.sport for r in recordings] == ["cycling", "running", "unknown"]


def test_without_a_ride_in_the_description_sport_and_start_are_unknown(tmp_path: Path) -> None:
    (recording,), errors = read_recordings(write(tmp_path / "a.zip", packed({"2019_13_31_09_15_30.csv": activity()})))
    assert (recording.sport, recording.started_at, errors) == ("unknown", None, [])
    (recording,), errors = read_recordings(write(tmp_path / RIDE, activity()))
    assert (recording.sport, recording.started_at, errors) == ("unknown", None, [])


def test_one_unpacked_activity_can_be_named(tmp_path: Path) -> None:
    for name, content in ATHLETE.items():
        write(tmp_path / name, content)
    (recording,), errors = read_recordings(tmp_path / RUN)
    assert (recording.session, recording.sport, errors) == (RUN.removesuffix(".csv"), "running", [])


def test_speed_is_that_of_the_distance_and_not_of_its_digits(tmp_path: Path) -> None:
    far = HEADER + "".join(f"{t},{100 + 0.0083 * t:.6g},,120,,\n" for t in range(60))
    for name, content in {RIDE: activity(), RUN: far}.items():
        write(tmp_path / name, content)
    near, beyond_100_km = (r.channels["speed_mps"] for r in read_recordings(tmp_path)[0])
    assert np.isnan([near[0], beyond_100_km[0]]).all()
    np.testing.assert_allclose(near[1:], 8.0, rtol=1e-5)
    np.testing.assert_allclose(beyond_100_km[5:], 8.3, atol=0.21)


def test_no_speed_is_made_across_a_pause_or_a_distance_that_starts_again(tmp_path: Path) -> None:
    rows = [(t, 0.01 * t) for t in range(10)] + [(t, 5 + 0.01 * t) for t in range(100, 110)]
    rows += [(t, 0.01 * (t - 110)) for t in range(110, 120)]
    (recording,), _ = read_recordings(
        write(tmp_path / RIDE, HEADER + "".join(f"{t},{km:.6g},,120,,\n" for t, km in rows))
    )
    speed_mps = recording.channels["speed_mps"]
    assert np.flatnonzero(np.isnan(speed_mps)).tolist() == [0, *range(10, 101), 110]
    np.testing.assert_allclose(speed_mps[np.isfinite(speed_mps)], 10.0, rtol=1e-3)


def test_smart_recording_has_a_speed_at_every_second(tmp_path: Path) -> None:
    rows = "".join(f"{t},{0.004 * t:.6g},,120,,\n" for t in range(0, 70, 7))
    (recording,), _ = read_recordings(write(tmp_path / RIDE, HEADER + rows))
    np.testing.assert_allclose(recording.channels["speed_mps"][7:], 4.0, rtol=1e-5)


def test_what_is_zero_throughout_was_not_recorded(tmp_path: Path) -> None:
    rows = "".join(f"{t},0,0,{100 + t},0,0\n" for t in range(5))
    (recording,), _ = read_recordings(write(tmp_path / RIDE, HEADER + rows))
    assert list(recording.channels) == ["heart_rate_bpm"]


@pytest.mark.parametrize(("sport", "steps", "expected_rpm"), [("Run", 172, 86), ("Run", 86, 86), ("Bike", 130, 130)])
def test_cadence_is_that_of_one_leg(tmp_path: Path, sport: str, steps: int, expected_rpm: float) -> None:
    description = json.dumps({"RIDES": [{"date": "2019/03/31 09:15:30 UTC", "sport": sport}]})
    (recording,), _ = read_recordings(
        write(tmp_path / "a.zip", packed({"a.json": description, RIDE: activity(cadence=steps)}))
    )
    assert recording.channels["cadence_rpm"].tolist() == [expected_rpm] * 20


def test_broken_activities_are_one_error_each_and_the_others_go_on(tmp_path: Path) -> None:
    broken: dict[str, str | bytes] = {
        "2019_04_03_00_00_00.csv": activity() + "20,?,,1,1,1\n",
        "2019_04_03_00_00_01.csv": "secs,km\n0,0\n",
        "2019_04_03_00_00_02.csv": HEADER + "0,0,,,,\n",
        "2019_04_03_00_00_03.csv": "",
        "2019_04_03_00_00_04.csv": b"\xff\xfe\0",
    }
    file = write(tmp_path / "a.zip", packed({**ATHLETE, **broken, "{some-body}.json": "{", "notes.txt": "hello"}))
    recordings, errors = read_recordings(file)
    assert [r.session for r in recordings] == [name.removesuffix(".csv") for name in (RIDE, RUN, NIGHT)]
    assert [error.path for error in errors] == [file / name for name in (*broken, "{some-body}.json")]
    assert errors[0].line == 22
    for error in errors:
        assert str(error.path) in str(error)
        assert error.remedy


def test_a_member_that_leads_out_of_the_file_is_only_a_name(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    members = {f"../../{RIDE}": activity(), f"/etc/{RUN}": activity(), f"a/b/{NIGHT}": activity(), "../evil.txt": "x"}
    file = write(inner / "a.zip", packed(members))
    recordings, errors = read_recordings(file)
    assert [r.session for r in recordings] == [name.removesuffix(".csv") for name in (RIDE, RUN, NIGHT)]
    assert errors == []
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [file]


def test_what_unpacks_beyond_the_bound_is_refused_unread(tmp_path: Path) -> None:
    bomb = HEADER.encode() + b"0,0,,100,,\n" * (4 * 2**20)
    file = write(tmp_path / "a.zip", packed({RIDE: bomb, RUN: activity()}))
    assert file.stat().st_size < 2**20
    (recording,), (error,) = read_recordings(file)
    assert recording.session == RUN.removesuffix(".csv")
    assert "unpacks to more than 32 MiB" in str(error)


def test_a_size_that_the_directory_understates_is_an_error(tmp_path: Path) -> None:
    data = bytearray(packed({RIDE: activity(2000)}))
    entry = data.index(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    recordings, (error,) = read_recordings(write(tmp_path / "a.zip", bytes(data)))
    assert recordings == []
    assert "damaged in the zip file" in str(error)


def test_a_directory_that_claims_too_much_is_refused_whole(tmp_path: Path) -> None:
    data = bytearray(packed({RIDE: activity(), RUN: activity()}))
    entry = -1
    for _ in range(2):
        entry = data.index(b"PK\x01\x02", entry + 1)
        data[entry + 24 : entry + 28] = (0xFFFF_0000).to_bytes(4, "little")
    recordings, (error,) = read_recordings(write(tmp_path / "a.zip", bytes(data)))
    assert recordings == []
    assert "unpacks to more than 2 GiB" in str(error)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_cannot_be_bounded_are_refused(tmp_path: Path, method: int) -> None:
    recordings, (error,) = read_recordings(write(tmp_path / "a.zip", packed({RIDE: activity()}, method)))
    assert recordings == []
    assert "deflate" in str(error)


def test_hours_beyond_those_of_an_athlete_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden_cheetah, "_MAX_ATHLETE_S", 55)
    recordings, (error,) = read_recordings(write(tmp_path / "a.zip", packed(ATHLETE)))
    assert [r.duration_s for r in recordings] == [20, 30]
    assert error.path == tmp_path / "a.zip"


def test_other_zip_files_in_a_folder_are_passed_over_and_damaged_ones_named(tmp_path: Path) -> None:
    write(tmp_path / "good.zip", packed(ATHLETE))
    write(tmp_path / "weights.npz", packed({"a.npy": b"x"}))
    write(tmp_path / "photos.zip", packed({"a.jpg": b"x"}))
    damaged = write(tmp_path / "damaged.zip", packed(ATHLETE)[:-30])
    recordings, errors = read_recordings(tmp_path)
    assert len(recordings) == 3
    assert [error.path for error in errors] == [damaged]
    assert "not a recording in a known layout" in str(read_recordings(tmp_path / "photos.zip")[1][0])


def test_a_folder_may_hold_an_export_of_every_kind(tmp_path: Path) -> None:
    for name, content in ATHLETE.items():
        write(tmp_path / "unpacked" / name, content)
    write(tmp_path / "packed.zip", packed(ATHLETE))
    write(tmp_path / "garmin" / "a.fit", fit_activity(range(3)))
    write(tmp_path / "garmin" / "b.tcx", tcx_activity(track_point(0, heart_rate(100)), track_point(1, heart_rate(101))))
    write(tmp_path / "own" / "c.csv", NEUTRAL)
    recordings, errors = read_recordings(tmp_path)
    assert errors == []
    assert [(r.person, r.source) for r in recordings] == [
        ("garmin", "fit"),
        ("garmin", "tcx"),
        ("own", "neutral"),
        *[("packed", "golden-cheetah")] * 3,
        *[("unpacked", "golden-cheetah")] * 3,
    ]


def test_sources_and_errors_pass_between_processes(tmp_path: Path) -> None:
    write(tmp_path / "a.zip", packed({**ATHLETE, NIGHT: "?"}))
    ((source,), _) = find_sources(tmp_path)
    recordings, (error,) = pickle.loads(pickle.dumps(source)).read()  # noqa: S301 - made here
    assert len(recordings) == 2
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made here
    assert isinstance(again, RecordingError)
    assert (str(again), again.path, again.line) == (str(error), error.path, error.line)


WHOLE = packed({RIDE: activity(3), "a.json": DESCRIPTION})


@settings(max_examples=200)
@given(changes=st.dictionaries(st.integers(0, len(WHOLE) - 1), st.integers(0, 255), max_size=5))
def test_whatever_a_zip_file_holds_it_is_recordings_or_errors(changes: dict[int, int]) -> None:
    data = bytes(changes.get(position, byte) for position, byte in enumerate(WHOLE))
    with tempfile.TemporaryDirectory() as folder:
        recordings, errors = read_recordings(write(Path(folder) / "a.zip", data))
    assert recordings or errors


@settings(max_examples=200)
@given(
    rows=st.lists(
        st.lists(st.sampled_from(["0", "1", "2", "", "inf", "-1", "1e300", "nan", "120"]), min_size=6, max_size=6),
        max_size=8,
    ),
    description=st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["RIDES", "date", "sport"]), inner, max_size=3)
        ),
        max_leaves=6,
    ),
)
def test_whatever_an_activity_holds_it_is_a_recording_or_an_error(rows: list[list[str]], description: object) -> None:
    content = HEADER + "\n".join(map(",".join, rows))
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder) / "a.zip", packed({RIDE: content, "a.json": json.dumps(description)}))
        recordings, errors = read_recordings(file)
    assert len([e for e in errors if e.path.name == RIDE]) + len(recordings) == 1
