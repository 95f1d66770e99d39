from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.recordings.read_acceleration import read_acceleration

_COLUMNS = [f"{unit}_acc_{axis}" for unit in ("T", "RA", "LA") for axis in "xyz"]


def published(folder: Path, activity: str, segment: int, rows: NDArray[np.float64]) -> Path:
    path = folder / "data" / activity / "p3" / f"s{segment:02d}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(",".join(f"{v:.5f}" for v in row) for row in rows) + "\n", encoding="ascii")
    return path


def test_segments_that_follow_one_another_are_one_recording_per_unit(tmp_path: Path) -> None:
    rows = np.arange(3 * 125 * 45).reshape(3, 125, 45) / 1000
    for segment in range(3):
        published(tmp_path, "a09", segment + 1, rows[segment])
    recordings, errors = read_acceleration(tmp_path)
    assert errors == []
    found = {r.session: r for r in recordings}
    assert set(found) == {"a09-T-s01", "a09-RA-s01", "a09-LA-s01"}
    assert {r.placement for r in recordings} == {"chest", "wrist"}
    left = found["a09-LA-s01"]
    assert (left.person, left.activity, left.placement, left.rate_hz) == ("p3", "a09", "wrist", 25.0)
    np.testing.assert_allclose(left.acceleration_mps2, rows.reshape(-1, 45)[:, 18:21], rtol=1e-5)
    np.testing.assert_allclose(found["a09-T-s01"].acceleration_mps2, rows.reshape(-1, 45)[:, :3], rtol=1e-5, atol=1e-5)


def test_a_missing_segment_parts_a_recording(tmp_path: Path) -> None:
    for segment in (1, 2, 4):
        published(tmp_path, "a12", segment, np.ones((125, 45)))
    recordings, _ = read_acceleration(tmp_path)
    chest = [(r.session, r.start_s, r.duration_s) for r in recordings if r.placement == "chest"]
    assert chest == [("a12-T-s01", 0.0, 10.0), ("a12-T-s04", 15.0, 5.0)]


def test_a_damaged_segment_is_named_with_its_line_and_the_others_go_on(tmp_path: Path) -> None:
    published(tmp_path, "a12", 1, np.ones((125, 45)))
    broken = published(tmp_path, "a12", 2, np.ones((125, 45)))
    lines = broken.read_text(encoding="ascii").splitlines()
    lines[6] = "oops"
    broken.write_text("\n".join(lines), encoding="ascii")
    short = published(tmp_path, "a12", 3, np.ones((60, 45)))
    recordings, errors = read_acceleration(tmp_path)
    assert len(recordings) == 3
    assert [(e.path, e.line) for e in errors] == [(broken, 7), (short, 61)]


def test_an_archive_holds_the_same_values_as_integers(tmp_path: Path) -> None:
    x = np.arange(2 * 125 * 9, dtype=np.int16).reshape(2, 125, 9)
    np.savez(
        tmp_path / "p1.npz",
        x=x,
        cols=_COLUMNS,
        scale=np.full(9, 250, np.float32),
        activity=np.array([9, 9], np.uint8),
        segment=np.array([1, 2], np.uint8),
    )
    recordings, errors = read_acceleration(tmp_path)
    assert errors == []
    assert [(r.person, r.session) for r in recordings] == [
        ("p1", "a09-T-s01"),
        ("p1", "a09-LA-s01"),
        ("p1", "a09-RA-s01"),
    ]
    np.testing.assert_allclose(recordings[0].acceleration_mps2, x.reshape(-1, 9)[:, :3] / 250, rtol=1e-6)


def test_an_archive_whose_arrays_do_not_fit_is_one_error(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "p1.npz",
        x=np.zeros((2, 125, 9)),
        cols=_COLUMNS[:4],
        scale=np.ones(9),
        activity=np.ones(2),
        segment=np.ones(2),
    )
    _, (error,) = read_acceleration(tmp_path)
    assert "do not fit" in error.reason


def test_the_zeros_that_end_some_segments_are_bridged(tmp_path: Path) -> None:
    rows = 1 + np.arange(125 * 45).reshape(125, 45) / 1000
    rows[100:] = 0
    published(tmp_path, "a05", 1, rows)
    recordings, _ = read_acceleration(tmp_path)
    for recording in recordings:
        x = recording.acceleration_mps2
        np.testing.assert_array_equal(x[100:], x[75:100][::-1])
