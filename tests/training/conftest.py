from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from edge_agent.recordings.recording import Recording

COLUMNS = ("heart_rate_bpm", "speed_mps", "cadence_rpm", "altitude_m")


def make_recording(person: str, session: str, *, seconds: int, seed: int) -> Recording:
    """A run over hills with random efforts, heart rate following first order: enough for a model to learn from."""
    random = np.random.default_rng(seed)
    effort = np.repeat(random.uniform(0.2, 1.0, seconds // 30 + 1), 30)[:seconds]
    altitude_m = 50 + 10 * np.sin(np.arange(seconds) / 40)
    target_bpm = 90 + 80 * effort
    heart_rate_bpm = np.empty(seconds)
    now = 80.0
    for t in range(seconds):
        now += (target_bpm[t] - now) / 25
        heart_rate_bpm[t] = round(now)
    channels = {
        "heart_rate_bpm": heart_rate_bpm,
        "speed_mps": 1 + 3 * effort,
        "cadence_rpm": 60 + 30 * effort,
        "altitude_m": altitude_m,
    }
    return Recording(
        person=person,
        session=session,
        sport="running",
        source="synthetic",
        licence="own",
        started_at=None,
        channels={name: values.astype(np.float32) for name, values in channels.items()},
    )


def write_neutral(recording: Recording, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["t_s", *COLUMNS])
        for t in range(recording.duration_s):
            writer.writerow([t, *(f"{recording.channels[name][t]:.2f}" for name in COLUMNS)])


@pytest.fixture(scope="session")
def recordings() -> list[Recording]:
    """Two people, ten sessions each."""
    return [
        make_recording(person, f"s{i:02}", seconds=300, seed=10 * p + i)
        for p, person in enumerate(("ada", "ben"))
        for i in range(10)
    ]


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory, recordings: list[Recording]) -> Path:
    """The recordings as files, one more in the published test, and a broken one."""
    folder = tmp_path_factory.mktemp("data")
    for recording in recordings:
        write_neutral(recording, folder / recording.person / f"{recording.session}.csv")
    test = make_recording("ada", "t99", seconds=300, seed=99)
    write_neutral(test, folder / "published-test" / "ada" / "t99.csv")
    (folder / "ben" / "broken.csv").write_text("t_s,heart_rate_bpm\n0,120\n1,fast\n", encoding="utf-8")
    return folder
