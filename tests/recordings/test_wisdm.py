from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.recordings.read_acceleration import read_acceleration


def published(folder: Path, rows: list[str]) -> Path:
    path = folder / "raw" / "watch" / "accel" / "data_1600_accel_watch.txt"
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(rows) + "\n", encoding="ascii")
    return path


def rows_of(code: str, t_s: NDArray[np.float64]) -> list[str]:
    return [f"1600,{code},{90426757696641 + int(t * 1e9)},{t:.4f},-0.15831658,9.696732;" for t in t_s]


def test_each_activity_is_a_recording(tmp_path: Path) -> None:
    t_s = np.arange(400) * 0.0499
    published(tmp_path, rows_of("A", t_s) + rows_of("S", t_s))
    recordings, errors = read_acceleration(tmp_path)
    assert errors == []
    assert [(r.person, r.activity, r.placement) for r in recordings] == [
        ("1600", "A", "wrist"),
        ("1600", "S", "wrist"),
    ]
    assert recordings[0].rate_hz == pytest.approx(1 / 0.0499, rel=1e-5)
    np.testing.assert_allclose(recordings[0].acceleration_mps2[:, 0], t_s, atol=1e-3)


def test_a_pause_parts_a_recording_and_scraps_are_dropped(tmp_path: Path) -> None:
    t_s = np.r_[np.arange(200) * 0.05, 30 + np.arange(20) * 0.05, 60 + np.arange(200) * 0.05]
    published(tmp_path, rows_of("A", t_s))
    recordings, _ = read_acceleration(tmp_path)
    assert [(r.session, round(r.start_s)) for r in recordings] == [("A-0", 0), ("A-2", 60)]


def test_a_rate_that_changes_on_the_way_becomes_constant(tmp_path: Path) -> None:
    t_s = np.r_[np.arange(200) * 0.05, 10 + np.arange(1000) * 0.01]
    published(tmp_path, rows_of("A", t_s))
    ((recording,), _) = read_acceleration(tmp_path)
    assert recording.rate_hz == 100.0
    at_s = np.arange(len(recording.acceleration_mps2)) / 100
    np.testing.assert_allclose(recording.acceleration_mps2[:, 0], at_s, atol=1e-3)


def test_a_row_that_is_none_is_named_with_its_line(tmp_path: Path) -> None:
    path = published(tmp_path, [*rows_of("A", np.arange(3) * 0.05), "1600,A,5;"])
    _, (error,) = read_acceleration(tmp_path)
    assert (error.path, error.line) == (path, 4)


def test_an_archive_holds_the_same_values_as_integers(tmp_path: Path) -> None:
    x = np.arange(600, dtype=np.int16).reshape(200, 3)
    np.savez(tmp_path / "1600.npz", A_accel=x, A_accel_tms=np.arange(200, dtype=np.int32) * 50, A_gyro=x)
    (recording,), errors = read_acceleration(tmp_path)
    assert errors == []
    assert (recording.person, recording.activity, recording.rate_hz) == ("1600", "A", 20.0)
    np.testing.assert_allclose(recording.acceleration_mps2, x / 250, rtol=1e-6)


def test_an_archive_without_times_is_one_error(tmp_path: Path) -> None:
    np.savez(tmp_path / "1600.npz", A_accel=np.zeros((200, 3), np.int16))
    _, (error,) = read_acceleration(tmp_path)
    assert "A_accel without a time" in error.reason
