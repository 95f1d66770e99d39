from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from fitdecode.utils import compute_crc
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.errors import RecordingError
from edge_agent.recordings.grid import MAX_FILE_BYTES
from edge_agent.recordings.read import read_recordings
from tests.recordings.samples import (
    ATHLETE,
    BREATHS,
    NEUTRAL,
    SRM,
    fit_activity,
    heart_rate,
    tcx_activity,
    track_point,
    write,
)

FIT = fit_activity(range(2))
TCX = tcx_activity(track_point(0, heart_rate(100)), track_point(1, heart_rate(101)))


def test_the_data_root_reads_without_an_error_in_a_fixed_order(data_root: Path) -> None:
    recordings, errors = read_recordings(data_root)
    assert errors == []
    keys = [(recording.person, recording.session) for recording in recordings]
    assert len(set(keys)) == len(keys) == 76
    assert keys == sorted(keys)


def test_a_folder_with_one_broken_file_of_each_layout_gives_the_others_and_one_error_each(tmp_path: Path) -> None:
    good: dict[str, str | bytes] = {
        "anna/good.csv": NEUTRAL,
        "runs/RUN_good.fit.csv": ATHLETE,
        "1/SrmBbb/SrmBbbAgood.csv": SRM,
        "1/SrmBbb/SrmBbbAgood-bbb.csv": BREATHS,
        "1/SrmBbb/SrmBbbAgood.json": "{}",
        "bert/good.fit": FIT,
        "bert/good.tcx": TCX,
        "1/meta.json": "{}",
        "LICENSE": "MIT, with commas",
        "p1.npz": b"PK\x03\x04",
        ".hidden/bad.csv": "nothing",
    }
    bad: dict[str, tuple[str | bytes, int | None]] = {
        "anna/bad.csv": (NEUTRAL + "2,?\n", 4),
        "runs/RUN_bad.fit.csv": (ATHLETE.replace(",91,", ",?,"), 3),
        "1/SrmBbb/SrmBbbAbad-bbb.csv": (BREATHS.replace("80.0", "?"), 3),
        "bert/bad.fit": (FIT[:-1], None),
        "bert/bad.tcx": (TCX[:-40], 8),
        "anna/other.csv": ("a,b\n1,2\n", 1),
    }
    for name, content in good.items():
        write(tmp_path / name, content)
    write(tmp_path / "1/SrmBbb/SrmBbbAbad.csv", SRM)
    for name, (content, _) in bad.items():
        write(tmp_path / name, content)

    recordings, errors = read_recordings(tmp_path)

    assert [(recording.person, recording.session) for recording in recordings] == [
        ("anna", "good"),
        ("athlete-hr-predict", "RUN_good"),
        ("bert", "good.fit"),
        ("bert", "good.tcx"),
        ("pypermod-1", "good"),
    ]
    assert {error.path: error.line for error in errors} == {tmp_path / name: line for name, (_, line) in bad.items()}
    assert len(errors) == len(bad)
    for error in errors:
        assert error.reason
        assert error.remedy
        assert str(error.path) in str(error)


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [
        ("a", NEUTRAL, "neutral"),
        ("a.txt", ATHLETE, "athlete-hr-predict"),
        ("a", FIT, "fit"),
        ("a.xml", TCX, "tcx"),
        ("a.csv", "\ufeff" + NEUTRAL, "neutral"),
        ("a.csv", '"t_s","heart_rate_bpm"\r0,100\r', "neutral"),
    ],
)
def test_the_layout_is_told_by_content(tmp_path: Path, name: str, content: str | bytes, source: str) -> None:
    (recording,), errors = read_recordings(write(tmp_path / name, content))
    assert (recording.source, errors) == (source, [])


def only_error(path: Path) -> RecordingError:
    recordings, errors = read_recordings(path)
    assert recordings == []
    (error,) = errors
    return error


def test_acceleration_beside_heart_rate_is_passed_over(tmp_path: Path) -> None:
    write(tmp_path / "ada" / "run.csv", NEUTRAL)
    write(tmp_path / "ada" / "walk.csv", "t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2\n0,0,0,9.81\n")
    recordings, errors = read_recordings(tmp_path)
    assert [recording.session for recording in recordings] == ["run"]
    assert errors == []


def test_what_is_not_there_or_no_recording_is_one_error(tmp_path: Path) -> None:
    assert "No such file" in str(only_error(tmp_path / "none.csv"))
    assert "no recording in this folder" in str(only_error(tmp_path))
    assert "known layout" in str(only_error(write(tmp_path / "notes.txt", "hello")))


def test_a_file_the_system_does_not_open_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.symlink_to(path)
    assert "symbolic links" in str(only_error(path))


@pytest.mark.parametrize("name", ["a.csv", "a.fit", "a.tcx"])
def test_a_file_beyond_the_bound_is_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, NEUTRAL)
    os.truncate(path, MAX_FILE_BYTES + 1)
    assert "larger than" in str(only_error(path))


csv_text = st.lists(
    st.lists(
        st.sampled_from(["t_s", "heart_rate_bpm", "timestamp", "heart_rate", "sec", "hr", "rr_ms", '"', "\0", "\r"])
        | st.floats().map(str)
        | st.text(max_size=5),
        max_size=4,
    ).map(",".join),
    max_size=6,
).map("\n".join)


@settings(max_examples=300)
@given(
    content=st.binary(max_size=60)
    | st.binary(max_size=60).map(lambda body: FIT[:20] + body)
    | csv_text.map(str.encode)
    | csv_text.map(lambda text: (NEUTRAL + text).encode())
    | csv_text.map(lambda text: (ATHLETE + text).encode())
    | st.text(max_size=60).map(lambda text: tcx_activity(text).encode(errors="replace"))
    | st.text("<>/&;![]ENTIY 0\"'", max_size=40).map(lambda text: tcx_activity(track_point(0, text)).encode()),
    suffix=st.sampled_from(["", ".csv", ".fit", ".tcx", ".json"]),
)
def test_whatever_a_file_holds_it_is_a_recording_or_an_error(content: bytes, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recordings, errors = read_recordings(write(Path(folder) / f"a{suffix}", content))
    assert len(recordings) + len(errors) == 1


@settings(max_examples=300)
@given(changes=st.dictionaries(st.integers(12, len(FIT) - 3), st.integers(0, 255), max_size=4))
def test_a_fit_file_with_any_change_and_a_true_checksum_is_a_recording_or_an_error(changes: dict[int, int]) -> None:
    data = bytes(changes.get(position, byte) for position, byte in enumerate(FIT[:-2]))
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.fit", data + compute_crc(data).to_bytes(2, "little"))
        recordings, errors = read_recordings(path)
    assert len(recordings) + len(errors) == 1
    assert changes or not errors
