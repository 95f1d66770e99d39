from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import RecordingError
from edge_agent.recordings import athlete_hr_predict
from edge_agent.recordings.read import read_recordings
from tests.recordings.samples import ATHLETE, write


def test_each_run_has_the_duration_means_and_gaps_of_its_file(data_root: Path) -> None:
    files = sorted((data_root / "athlete-hr-predict").glob("*/RUN_*.csv"))
    gap_s = 0
    for file in files:
        with file.open(newline="") as text:
            rows = list(csv.DictReader(text))
        run = athlete_hr_predict.read(file)
        times = [datetime.fromisoformat(row["timestamp"]) for row in rows]
        seconds = [int((time - times[0]).total_seconds()) for time in times]
        assert run.duration_s == seconds[-1] + 1
        for channel, column in {
            "heart_rate_bpm": "heart_rate",
            "speed_mps": "enhanced_speed",
            "cadence_rpm": "cadence",
            "altitude_m": "enhanced_altitude",
        }.items():
            values = [float(row[column]) for row in rows if channel != "heart_rate_bpm" or float(row[column]) > 0]
            assert np.isfinite(run.channels[channel]).sum() == len(values)
            assert np.nanmean(run.channels[channel], dtype=float) == pytest.approx(sum(values) / len(values), rel=1e-6)
        for second, row in zip(seconds, rows, strict=True):
            assert run.channels["speed_mps"][second] == np.float32(row["enhanced_speed"])
        gap_s += int(np.isnan(run.channels["speed_mps"]).sum())
        assert "power_w" not in run.channels
    assert len(files) == 58
    assert gap_s == 419  # 17 holes of one second; pauses of 4, 19, 22, 24, 3 x 27, 33 and 219 s


def test_the_column_named_power_only_repeats_the_temperature(data_root: Path) -> None:
    filled = 0
    for file in (data_root / "athlete-hr-predict").glob("*/RUN_*.csv"):
        with file.open(newline="") as text:
            for row in csv.DictReader(text):
                if row["power"]:
                    filled += 1
                    assert row["power"] == row["temperature"] == row["calories"]
    assert filled == 30_152


def test_one_run_reads_as_its_file_says(data_root: Path) -> None:
    file = data_root / "athlete-hr-predict" / "runs" / "RUN_2021-04-18-09-57-41.fit.csv"
    (run,), errors = read_recordings(file)
    assert errors == []
    assert (run.person, run.session, run.sport) == ("athlete-hr-predict", "RUN_2021-04-18-09-57-41", "running")
    assert (run.source, run.licence) == ("athlete-hr-predict", "MIT")
    assert run.duration_s == 3588
    assert run.channels["heart_rate_bpm"][[0, 2, 3586, 3587]].tolist() == [90, 91, 151, 151]
    assert [frame.t_s for frame in run.frames()] == list(range(3588))


def test_heart_rate_zero_is_missing(tmp_path: Path) -> None:
    run = athlete_hr_predict.read(write(tmp_path / "RUN_1.fit.csv", ATHLETE.replace(",91,", ",0,")))
    assert run.session == "RUN_1"
    assert np.isnan(run.channels["heart_rate_bpm"]).tolist() == [False, True]


@pytest.mark.parametrize("stamp", ["yesterday", "", "2021-04-17 21:57:61+00:00"])
def test_a_wrong_time_stamp_is_an_error_with_its_line(tmp_path: Path, stamp: str) -> None:
    path = write(tmp_path / "run.csv", ATHLETE.replace("2021-04-17 21:57:42+00:00", stamp))
    with pytest.raises(RecordingError, match="timestamp") as caught:
        athlete_hr_predict.read(path)
    assert (caught.value.path, caught.value.line) == (path, 3)


def test_times_without_a_zone_do_not_depend_on_the_local_one(tmp_path: Path) -> None:
    text = "timestamp,heart_rate,enhanced_speed\n2021-03-28 01:59:59,90,3\n2021-03-28 03:00:00,91,3\n"
    run = athlete_hr_predict.read(write(tmp_path / "run.csv", text))
    assert run.duration_s == 3602
    assert run.started_at == datetime(2021, 3, 28, 1, 59, 59, tzinfo=UTC)
