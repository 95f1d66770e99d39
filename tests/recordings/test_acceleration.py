from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import RecordingError
from edge_agent.recordings.acceleration import read
from edge_agent.recordings.read_acceleration import holds_acceleration, read_acceleration

HEADER = "t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2"


def csv_of(t_s: NDArray[np.float64], *, decimals: int = 4) -> str:
    rows = [f"{t:.{decimals}f},{np.sin(t):.3f},0.1,9.8" for t in t_s]
    return "\n".join([HEADER, *rows]) + "\n"


def write(folder: Path, text: str) -> Path:
    path = folder / "ada" / "walk.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("rate_hz", [20.0, 25.0, 31.25, 50.3, 100.0, 200.0])
@pytest.mark.parametrize("start_s", [0.0, 1712.5])
def test_the_rate_is_found_from_the_time_stamps(tmp_path: Path, rate_hz: float, start_s: float) -> None:
    recording = read(write(tmp_path, csv_of(start_s + np.arange(1200) / rate_hz)))
    assert recording.rate_hz == pytest.approx(rate_hz, rel=1e-4)
    assert recording.start_s == pytest.approx(start_s)
    assert recording.acceleration_mps2.shape == (1200, 3)
    assert recording.acceleration_mps2.dtype == np.float32
    assert (recording.person, recording.session, recording.placement) == ("ada", "walk", "")


def test_rounded_and_jittered_time_stamps_are_a_constant_rate(tmp_path: Path) -> None:
    jitter_s = np.random.default_rng(0).uniform(-0.004, 0.004, 2000)
    recording = read(write(tmp_path, csv_of(np.arange(2000) / 52 + 1 + jitter_s, decimals=2)))
    assert recording.rate_hz == pytest.approx(52, rel=1e-3)


def test_activity_and_placement_may_be_named(tmp_path: Path) -> None:
    lines = csv_of(np.arange(200) / 25).splitlines()
    text = "\n".join([lines[0] + ",activity,placement", *(line + ",walk,wrist" for line in lines[1:])])
    recording = read(write(tmp_path, text))
    assert (recording.activity, recording.placement) == ("walk", "wrist")


def _edited(line: int, text: str) -> str:
    lines = csv_of(np.arange(200) / 25).splitlines()
    lines[line - 1] = text
    return "\n".join(lines)


BAD = {
    "a value that is missing": (_edited(5, "0.12,,0.1,9.8"), 5, "acc_x_mps2 is missing"),
    "a value that is not a number": (_edited(5, "0.12,nan,0.1,9.8"), 5, "not finite"),
    "milli-g instead of m/s²": (_edited(5, "0.12,3,12,1003"), 5, "acc_z_mps2 is 1003 m/s²"),
    "a gap": (csv_of(np.r_[np.arange(100), np.arange(103, 200)] / 25), 102, "a gap of 0.16 s"),
    "a sensor that was off": (
        "\n".join([*csv_of(np.arange(100) / 25).splitlines(), *(f"{4 + i / 25},0,0,0" for i in range(50))]),
        102,
        "not even gravity, for 2 s",
    ),
    "time that goes back": (csv_of(np.r_[np.arange(100), np.arange(90, 190)] / 25), 102, "does not go on"),
    "time that stands still": (csv_of(np.zeros(50)), 3, "does not go on"),
    "too slow a sensor": (csv_of(np.arange(200) / 12.5), 2, "12.5 samples per second"),
    "too fast a sensor": (csv_of(np.arange(200) / 400), 2, "400 samples per second"),
    "a rate that changes": (csv_of(np.r_[np.arange(500) / 25, 20 + np.arange(500) / 31]), None, "not constant"),
    "one sample": (csv_of(np.zeros(1)), 2, "a single sample"),
    "no time": ("acc_x_mps2,acc_y_mps2,acc_z_mps2\n1,2,3\n", 1, "no column t_s"),
    "an unknown placement": (f"{HEADER},placement\n0,0,0,9.8,ankle\n0.04,0,0,9.8,ankle\n", 2, "placement 'ankle'"),
    "two activities": (f"{HEADER},activity\n0,0,0,9.8,walk\n0.04,0,0,9.8,run\n", 3, "from 'walk' to 'run'"),
}


def test_a_short_dropout_is_bridged_by_the_movement_before_it(tmp_path: Path) -> None:
    lines = csv_of(np.arange(200) / 25).splitlines()
    for i in range(100, 120):
        lines[i + 1] = f"{i / 25},0,0,0"
    recording = read(write(tmp_path, "\n".join(lines)))
    x = recording.acceleration_mps2
    np.testing.assert_array_equal(x[100:120], x[80:100][::-1])
    assert (x[:, 2] > 9).all()


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    text, line, reason = BAD[name]
    with pytest.raises(RecordingError, match=reason) as caught:
        read(write(tmp_path, text))
    assert caught.value.line == line or line is None
    assert caught.value.remedy


def test_a_header_tells_acceleration_from_heart_rate(tmp_path: Path) -> None:
    assert holds_acceleration(write(tmp_path, csv_of(np.arange(5) / 25)))
    assert not holds_acceleration(write(tmp_path, "t_s,heart_rate_bpm\n0,92\n"))
    assert not holds_acceleration(tmp_path / "nothing.csv")


def test_a_folder_is_read_whole_and_other_files_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, csv_of(np.arange(200) / 25))
    (tmp_path / "ada" / "bad.csv").write_text(f"{HEADER}\n0,0,0,fast\n", encoding="utf-8")
    (tmp_path / "ada" / "heart.csv").write_text("t_s,heart_rate_bpm\n0,92\n", encoding="utf-8")
    (tmp_path / ".hidden.csv").write_text(f"{HEADER}\n", encoding="utf-8")
    recordings, errors = read_acceleration(tmp_path)
    assert [r.session for r in recordings] == ["walk"]
    assert [error.path.name for error in errors] == ["bad.csv"]


def test_a_folder_without_acceleration_says_what_to_give(tmp_path: Path) -> None:
    recordings, (error,) = read_acceleration(tmp_path)
    assert recordings == []
    assert "acc_x_mps2" in error.remedy


@pytest.mark.parametrize("content", [b"", b"PK\3\4 cut off", b"not a zip"])
def test_a_damaged_archive_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p1.npz").write_bytes(content)
    recordings, (error,) = read_acceleration(tmp_path)
    assert recordings == []
    assert error.path.name == "p1.npz"


def test_an_archive_that_would_unpack_to_too_much_is_refused_unread(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "p1.npz", x=np.zeros(40_000_000, np.float32))
    _, (error,) = read_acceleration(tmp_path)
    assert "unpacks to" in error.reason
