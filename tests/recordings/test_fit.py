from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fit_tool.profile.profile_type import Sport

from edge_agent.errors import RecordingError
from edge_agent.recordings import fit
from tests.recordings.samples import START, fit_activity, write


def test_records_and_beats_of_an_activity_are_read(tmp_path: Path) -> None:
    data = fit_activity(
        range(4), rr_intervals_s=(0.6, 0.598), enhanced_speed=3.456, cadence=86, power=251, enhanced_altitude=-12.4
    )
    ride = fit.read(write(tmp_path / "anna" / "ride.fit", data))
    assert (ride.person, ride.session, ride.sport, ride.licence) == ("anna", "ride.fit", "cycling", "own")
    assert ride.started_at == START
    assert ride.channels["heart_rate_bpm"].tolist() == [100, 101, 102, 103]
    assert ride.channels["speed_mps"] == pytest.approx([3.456] * 4)
    assert ride.channels["cadence_rpm"].tolist() == [86] * 4
    assert ride.channels["power_w"].tolist() == [251] * 4
    assert ride.channels["altitude_m"] == pytest.approx([-12.4] * 4)
    assert ride.rr_intervals_ms == dict.fromkeys(range(4), (600.0, 598.0))


def test_older_speed_and_altitude_fields_are_read(tmp_path: Path) -> None:
    ride = fit.read(write(tmp_path / "ride.fit", fit_activity(range(3), speed=5.5, altitude=80.2)))
    assert ride.channels["speed_mps"] == pytest.approx([5.5] * 3)
    assert ride.channels["altitude_m"] == pytest.approx([80.2] * 3)


def test_a_pause_is_a_gap_and_smart_recording_is_held(tmp_path: Path) -> None:
    nan = np.nan
    paused = fit.read(write(tmp_path / "paused.fit", fit_activity([0, 1, 2, 5, 6])))
    np.testing.assert_array_equal(paused.channels["heart_rate_bpm"], [100, 101, 102, nan, nan, 105, 106])
    smart = fit.read(write(tmp_path / "smart.fit", fit_activity([0, 3, 5, 20])))
    expected = [100] * 3 + [103] * 2 + [105] * 9 + [nan] * 6 + [120]
    np.testing.assert_array_equal(smart.channels["heart_rate_bpm"], expected)


def test_an_activity_without_sport_is_unknown(tmp_path: Path) -> None:
    assert fit.read(write(tmp_path / "a.fit", fit_activity(range(2), sport=None))).sport == "unknown"
    assert fit.read(write(tmp_path / "b.fit", fit_activity(range(2), sport=Sport.RUNNING))).sport == "running"


def test_chained_files_are_one_recording(tmp_path: Path) -> None:
    chained = write(tmp_path / "a.fit", fit_activity([0, 1]) + fit_activity([4, 5]))
    np.testing.assert_array_equal(fit.read(chained).channels["heart_rate_bpm"], [100, 101, np.nan, np.nan, 104, 105])


def test_a_cut_or_flipped_file_is_refused(tmp_path: Path) -> None:
    whole = fit_activity(range(3))
    for cut in range(len(whole)):
        with pytest.raises(RecordingError):
            fit.read(write(tmp_path / "cut.fit", whole[:cut]))
    for position in range(len(whole)):
        flipped = bytearray(whole)
        flipped[position] ^= 0x10
        with pytest.raises(RecordingError):
            fit.read(write(tmp_path / "flipped.fit", bytes(flipped)))


def test_records_years_apart_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="48 h"):
        fit.read(write(tmp_path / "a.fit", fit_activity([0, 1_000_000], heart_rate=120)))


def test_importing_the_readers_does_not_load_the_libraries() -> None:
    code = (
        "import sys, edge_agent.recordings.read;"
        "print(sorted({'fitdecode', 'tcxreader', 'xml.etree', 'fit_tool'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
