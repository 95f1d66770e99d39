from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ACTIVITIES = {"still": (0.0, 0.05), "walk": (1.8, 2.0), "run": (2.8, 9.0), "row": (0.4, 3.0)}
RATE_HZ = 50


def movement(activity: str, person: int, seconds: float) -> NDArray[np.float64]:
    """Acceleration of a made-up person, (samples, 3)."""
    rng = np.random.default_rng([person, len(activity)])
    hz, strength = ACTIVITIES[activity]
    t_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    angle = 2 * np.pi * hz * (1 + 0.05 * person) * t_s
    x = np.stack([0.3 * np.sin(angle / 2), 0.5 * np.cos(angle), np.sin(angle)], axis=1) * strength
    return np.asarray(x + np.array([0, 0, 9.81]) + rng.normal(0, 0.1, x.shape))


def write(path: Path, acceleration_mps2: NDArray[np.float64], extra: Sequence[str] = ()) -> None:
    """A recording in the neutral layout, with its activity and placement where they are given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ("activity", "placement")[: len(extra)]
    rows = [
        ",".join([f"{i / RATE_HZ:.3f}", *(f"{value:.4f}" for value in row), *extra])
        for i, row in enumerate(acceleration_mps2)
    ]
    head = ",".join(["t_s", "acc_x_mps2", "acc_y_mps2", "acc_z_mps2", *names])
    path.write_text("\n".join([head, *rows]), encoding="utf-8")


@pytest.fixture(scope="session")
def acceleration_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people at chest and wrist, and a file that cannot be read."""
    folder = tmp_path_factory.mktemp("acceleration")
    for person in range(2):
        for activity in ACTIVITIES:
            for placement in ("chest", "wrist"):
                path = folder / f"p{person}" / f"{activity}-{placement}.csv"
                write(path, movement(activity, person, 31), (activity, placement))
    (folder / "p0" / "broken.csv").write_text("t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2\n0,0,0,x\n", encoding="utf-8")
    return folder
