from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from edge_agent.recordings.read import read_recordings
from edge_agent.recordings.recording import Recording
from training.recovery.detection import count_alarms, find_marked, marked_stops

STOP_S = 420


def write_session(folder: Path, name: str, *, mark_s: int) -> None:
    """A session of the public cycling set's layout: two minutes at 80 W, five at 260 W, three at 50 W."""
    folder.mkdir(parents=True, exist_ok=True)
    power_w = [80] * 120 + [260] * (STOP_S - 119) + [50] * 180
    (folder / f"{name}.csv").write_text(
        "sec,speed,cadence,power,altitude\n" + "".join(f"{t},30,90,{w},0\n" for t, w in enumerate(power_w))
    )
    bpm, lines = 95.0, []
    for t, w in enumerate(power_w):
        bpm += (95 + 0.3 * (w - 80) - bpm) / 40
        if t % 2 == 0:
            lines.append(f"{t},{bpm:.0f},2000\n")
    (folder / f"{name}-bbb.csv").write_text("sec,hr,vo2\n" + "".join(lines))
    (folder / f"{name}.json").write_text(json.dumps({"protocol": "tte", "recovery": mark_s}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pypermod")
    write_session(folder / "1" / "SrmBbb", "SrmBbbA1", mark_s=STOP_S)
    write_session(folder / "1" / "SrmBbb", "SrmBbbA2", mark_s=STOP_S - 9)
    (folder / "1" / "meta.json").write_text("{}")
    return folder


def test_a_mark_is_corrected_by_the_fall_of_power_and_named_when_it_is_far_off(folder: Path) -> None:
    marked, doubtful = marked_stops(folder)
    assert [stop_s for _, stop_s in marked] == [STOP_S, STOP_S]
    (remark,) = doubtful
    assert "marked at 411 s" in remark


def test_errors_are_counted_against_the_marks(folder: Path) -> None:
    marked, _ = marked_stops(folder)
    by_load = find_marked(marked, load=True)
    assert (by_load.errors_s, by_load.missed, by_load.false) == ([0, 0], 0, 0)
    assert max(by_load.delays_s) <= 12
    wrong = [(recording, stop_s - 200) for recording, stop_s in marked]
    assert (find_marked(wrong, load=True).missed, find_marked(wrong, load=True).false) == (2, 2)


@pytest.mark.parametrize("every_s", [1, 10])
def test_heart_rate_alone_finds_the_stop_within_ten_seconds(folder: Path, every_s: int) -> None:
    found = find_marked(marked_stops(folder)[0], load=False, every_s=every_s)
    assert (found.missed, found.false) == (0, 0)
    assert all(abs(error_s) <= 10 for error_s in found.errors_s)


def test_an_announced_stop_is_false_when_the_runner_goes_on() -> None:
    seconds = np.arange(700)
    effort = np.where((seconds > 100) & (seconds <= 400), 1.0, 0.0)
    bpm = np.empty(len(seconds))
    now = 90.0
    for t in seconds:
        now += (90 + 80 * effort[t] - now) / 30
        bpm[t] = now

    def run(speed_mps: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Recording:
        return Recording(
            person="p",
            session="s",
            sport="running",
            source="made",
            licence="own",
            started_at=None,
            channels={"heart_rate_bpm": bpm.astype(np.float32), "speed_mps": speed_mps.astype(np.float32)},
        )

    goes_on, stops = run(np.full(len(seconds), 3.0)), run(np.where(seconds <= 400, 3.0, 0.5))
    by_heart_rate = count_alarms([goes_on, stops], load=False)
    assert (by_heart_rate.announced, by_heart_rate.false) == (2, 1)
    by_load = count_alarms([goes_on, stops], load=True)
    assert (by_load.announced, by_load.false) == (1, 0)
    assert math.isclose(by_load.hours, 2 * 700 / 3600)


def test_every_stop_of_the_public_cycling_set_is_found(data_root: Path) -> None:
    marked, _ = marked_stops(data_root / "pypermod")
    assert len(marked) == 18
    by_load, by_heart_rate = (find_marked(marked, load=load) for load in (True, False))
    assert (by_load.missed, by_load.false) == (by_heart_rate.missed, by_heart_rate.false) == (0, 0)
    assert max(map(abs, by_load.errors_s)) <= 3
    assert np.mean(np.abs(by_heart_rate.errors_s)) <= 3
    assert max(by_load.delays_s) <= 15
    assert max(by_heart_rate.delays_s) <= 30


def test_runs_seldom_give_a_false_stop(data_root: Path) -> None:
    recordings, _ = read_recordings(data_root / "athlete-hr-predict" / "published-test")
    by_load = count_alarms(recordings, load=True)
    assert by_load.hours > 2
    assert by_load.false / by_load.hours < 1
