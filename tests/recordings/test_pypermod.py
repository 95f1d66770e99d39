from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import RecordingError
from edge_agent.recordings import pypermod
from edge_agent.recordings.read import read_recordings
from tests.recordings.samples import BREATHS, SRM, write


def column(path: Path, name: str) -> list[float]:
    with path.open(newline="") as text:
        return [float(row[name]) for row in csv.DictReader(text)]


def held(sec: list[float], hr: list[float], second: int) -> float | None:
    """Heart rate of the last valid breath up to a second, unless it is more than 5 s ago or before the session."""
    for time, bpm in reversed(list(zip(sec, hr, strict=True))):
        if 0 <= time <= second and bpm > 0:
            return bpm if second - time <= 5 else None
    return None


def test_each_session_holds_the_ergometer_and_the_last_breath(data_root: Path) -> None:
    recordings, errors = read_recordings(data_root / "pypermod")
    assert errors == []
    assert [r.person for r in recordings] == ["pypermod-1"] * 6 + ["pypermod-2"] * 6 + ["pypermod-3"] * 6
    for recording in recordings:
        stem = data_root / "pypermod" / recording.person[-1] / "SrmBbb" / f"SrmBbbA{recording.session}"
        srm, breaths = Path(f"{stem}.csv"), Path(f"{stem}-bbb.csv")
        sec, hr = column(breaths, "sec"), column(breaths, "hr")
        srm_sec = column(srm, "sec")
        assert recording.duration_s == 1 + max(sec[-1], srm_sec[-1])
        heart_rate_bpm = recording.channels["heart_rate_bpm"]
        for second in range(recording.duration_s):
            expected = held(sec, hr, second)
            assert np.isnan(heart_rate_bpm[second]) if expected is None else heart_rate_bpm[second] == expected
        for name, theirs, scale in (
            ("power_w", "power", 1.0),
            ("cadence_rpm", "cadence", 1.0),
            ("speed_mps", "speed", 3.6),
        ):
            # Two files name a second twice: the last row counts.
            values = dict(zip(srm_sec, column(srm, theirs), strict=True))
            assert np.isfinite(recording.channels[name]).sum() == len(values)
            for time_s, value in values.items():
                assert recording.channels[name][int(time_s)] == np.float32(value / scale)
        assert (recording.sport, recording.licence) == ("cycling", "MIT")
        assert "altitude_m" not in recording.channels


def test_the_offset_is_already_in_the_published_breaths(data_root: Path) -> None:
    for description in (data_root / "pypermod").glob("*/SrmBbb/*.json"):
        offset_s = json.loads(description.read_text())["bbb_offset"]
        first_s = column(pypermod.breaths_file(description), "sec")[0]
        assert 0 <= first_s - offset_s <= 7  # the first breath ends within seconds of the analyser's own start


def test_heart_rate_peaks_where_the_effort_ends(data_root: Path) -> None:
    away_s = []
    for description in (data_root / "pypermod").glob("*/SrmBbb/*.json"):
        recording = pypermod.read(description)
        peak_s = np.flatnonzero(recording.channels["heart_rate_bpm"] == np.nanmax(recording.channels["heart_rate_bpm"]))
        away_s.append(abs(json.loads(description.read_text())["recovery"] - peak_s).min())
    assert np.median(away_s) <= 5


@pytest.mark.parametrize("suffix", [".csv", "-bbb.csv", ".json"])
def test_any_file_of_a_session_names_it(tmp_path: Path, suffix: str) -> None:
    folder = tmp_path / "7" / "SrmBbb"
    for name, content in {".csv": SRM, "-bbb.csv": BREATHS, ".json": "{}"}.items():
        write(folder / f"SrmBbbA2020-01-01_10:00:00:0{name}", content)
    (recording,), errors = read_recordings(folder / f"SrmBbbA2020-01-01_10:00:00:0{suffix}")
    assert errors == []
    assert (recording.person, recording.session) == ("pypermod-7", "2020-01-01_10:00:00:0")
    assert recording.channels["heart_rate_bpm"].tolist() == [80, 82]
    assert recording.channels["speed_mps"].tolist() == [10, 5]


@pytest.mark.parametrize("broken", [".csv", "-bbb.csv"])
def test_an_error_names_the_file_it_is_in(tmp_path: Path, broken: str) -> None:
    for name, content in {".csv": SRM, "-bbb.csv": BREATHS}.items():
        write(tmp_path / f"a{name}", content.replace("\n1.0,", "\n1e18,") if name == broken else content)
    with pytest.raises(RecordingError) as caught:
        pypermod.read(tmp_path / "a.csv")
    assert caught.value.path == tmp_path / f"a{broken}"
    assert caught.value.line == (3 if broken == ".csv" else 4)


def test_a_session_without_its_breaths_says_so(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file") as caught:
        pypermod.read(write(tmp_path / "a.csv", SRM))
    assert caught.value.path == tmp_path / "a-bbb.csv"
