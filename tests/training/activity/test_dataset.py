from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.activity.classes import CLASSES
from training.activity.dataset import load
from training.errors import TrainingError


def write(folder: Path, person: str, session: str, seconds: float, *, activity: str = "walk", rate: int = 50) -> None:
    path = folder / person / f"{session}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{i / rate:.3f},{np.sin(i / rate * 12):.3f},0.1,9.8,{activity},wrist" for i in range(round(seconds * rate))
    ]
    head = "t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2,activity,placement"
    path.write_text("\n".join([head, *rows]), encoding="utf-8")


def test_windows_carry_person_placement_label_and_session(tmp_path: Path) -> None:
    write(tmp_path, "ada", "one", 17)
    write(tmp_path, "ben", "two", 10, activity="row", rate=100)
    windows = load(tmp_path).windows
    assert windows.acceleration_mps2.shape == (3 + 2, 125, 3)
    assert [CLASSES[label] for label in windows.label] == ["walk"] * 3 + ["row"] * 2
    assert list(windows.group) == ["neutral/ada"] * 3 + ["neutral/ben"] * 2
    assert set(windows.placement) == {"wrist"}
    assert list(windows.session) == [0, 0, 0, 1, 1]
    assert len(windows.where(windows.label == CLASSES.index("row"))) == 2


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    write(tmp_path, "ada", "one", 10)
    write(tmp_path, "ada", "yoga", 10, activity="yoga")
    write(tmp_path, "ada", "short", 3)
    (tmp_path / "ada" / "broken.csv").write_text("t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2\n0,0,0,x\n", encoding="utf-8")
    dataset = load(tmp_path)
    assert len(dataset.sessions) == 1
    said = "\n".join(dataset.left_out)
    for part in ("broken.csv, line 2", "neutral: yoga, wrist: 1", "shorter than a window: 1"):
        assert part in said


def test_a_folder_without_labels_is_refused_with_the_names_of_the_classes(tmp_path: Path) -> None:
    write(tmp_path, "ada", "yoga", 10, activity="yoga")
    with pytest.raises(TrainingError, match="stepper_or_elliptical"):
        load(tmp_path)
