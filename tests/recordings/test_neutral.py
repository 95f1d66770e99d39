from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import RecordingError
from edge_agent.recordings import neutral
from edge_agent.recordings.grid import MAX_DURATION_S, PLAUSIBLE
from edge_agent.recordings.recording import CHANNELS, Recording
from tests.recordings.samples import NEUTRAL, write


def read(folder: Path, text: str) -> Recording:
    return neutral.read(write(folder / "anna" / "monday.csv", text))


def test_a_full_row_reads_into_every_channel(tmp_path: Path) -> None:
    recording = read(
        tmp_path,
        "t_s,heart_rate_bpm,speed_mps,cadence_rpm,power_w,altitude_m,rr_ms\n"
        "0,120,3.5,85,250,-12.5,500;498.5\n"
        "1,121,,,,,\n",
    )
    assert (recording.person, recording.session, recording.licence) == ("anna", "monday", "own")
    assert [recording.channels[name][0] for name in CHANNELS] == [120, 3.5, 85, 250, -12.5]
    assert [bool(np.isnan(recording.channels[name][1])) for name in CHANNELS] == [False, True, True, True, True]
    assert recording.rr_intervals_ms == {0: (500.0, 498.5)}


def test_columns_may_be_missing_unknown_and_in_any_order(tmp_path: Path) -> None:
    recording = read(tmp_path, "\ufeffacc_x_mps2,heart_rate_bpm,t_s\r\nfoo,120,0\r\n,121,1\r\n")
    assert list(recording.channels) == ["heart_rate_bpm"]
    assert recording.channels["heart_rate_bpm"].tolist() == [120, 121]


def test_jumps_leave_gaps_and_fractions_go_to_the_nearest_second(tmp_path: Path) -> None:
    recording = read(tmp_path, "t_s,heart_rate_bpm\n0.02,100\n0.98,101\n2.4,102\n5.5,105\n")
    nan = np.nan
    np.testing.assert_array_equal(recording.channels["heart_rate_bpm"], [100, 101, 102, nan, nan, nan, 105])


def test_a_row_of_empty_cells_counts_as_time(tmp_path: Path) -> None:
    recording = read(tmp_path, "t_s,heart_rate_bpm,power_w\n0,100,\n4,,\n")
    assert recording.duration_s == 5
    assert list(recording.channels) == ["heart_rate_bpm"]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("", 1, "no column t_s"),
        ("t_s,speed_mps\n0,1\n", 1, "no column heart_rate_bpm"),
        ("t_s,heart_rate_bpm,t_s\n0,1,2\n", 1, "more than once"),
        ("t_s,heart_rate_bpm\n", 1, "no samples"),
        (NEUTRAL + "2,fast\n", 4, "heart_rate_bpm is 'fast'"),
        (NEUTRAL + "\n\n2,1O2\n", 6, "heart_rate_bpm is '1O2'"),
        (NEUTRAL + "2\n", 4, "1 cells"),
        (NEUTRAL + "2,102,7\n", 4, "3 cells"),
        (NEUTRAL + ",102\n", 4, "the time nan s"),
        (NEUTRAL + "inf,102\n", 4, "the time inf s"),
        (NEUTRAL + "1e18,102\n", 4, "the time 1e\\+18 s"),
        (NEUTRAL + "-1,102\n", 4, "the time -1 s"),
        (NEUTRAL + f"{MAX_DURATION_S},102\n", 4, "48 h"),
        ("t_s,heart_rate_bpm,rr_ms\n0,100,800;x\n", 2, "rr_ms is '800;x'"),
        ('t_s,heart_rate_bpm\n0,"1' + "0" * 200_000, 2, "not CSV text"),
        ("t_s,heart_rate_bpm\n0,0\n1,\n", None, "no heart rate"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, line: int | None, reason: str) -> None:
    with pytest.raises(RecordingError, match=reason) as caught:
        read(tmp_path, text)
    assert caught.value.line == line
    assert caught.value.remedy


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", NEUTRAL.encode() + b"2,1\xff2\n")
    with pytest.raises(RecordingError, match="heart_rate_bpm") as caught:
        neutral.read(path)
    assert caught.value.line == 4


values = {name: st.none() | st.floats(low, high, width=32) for name, (low, high) in PLAUSIBLE.items()}
rows = st.fixed_dictionaries(
    {
        **values,
        "rr_ms": st.lists(st.floats(1, 60_000, width=32), max_size=4),
    }
)


@given(
    sessions=st.dictionaries(st.integers(0, 300), rows, min_size=1, max_size=20),
    columns=st.permutations((*CHANNELS, "rr_ms")).flatmap(lambda names: st.integers(0, 6).map(lambda n: names[n:])),
    first_bpm=st.floats(25, 250, width=32),
)
def test_what_is_written_is_read(
    sessions: Mapping[int, dict[str, object]], columns: list[str], first_bpm: float
) -> None:
    columns = [*columns, *({"heart_rate_bpm"} - set(columns))]
    sessions[min(sessions)]["heart_rate_bpm"] = first_bpm
    text = ",".join((*columns, "t_s")) + "\n"
    for t_s, row in sessions.items():
        cells = [";".join(map(repr, v)) if isinstance(v := row[name], list) else v for name in columns]
        text += ",".join("" if cell is None else str(cell) for cell in (*cells, t_s)) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        recording = read(Path(folder), text)
    assert recording.duration_s == max(sessions) + 1
    for frame in recording.frames():
        row = sessions.get(frame.t_s, {})
        for name in CHANNELS:
            assert getattr(frame, name) == (row.get(name) if name in columns else None)
        assert list(frame.rr_intervals_ms) == (row.get("rr_ms", []) if "rr_ms" in columns else [])
