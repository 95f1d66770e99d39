from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from training.errors import TrainingError
from training.inspect.acceleration import inspect
from training.inspect.account import Account, Step


def write(path: Path, values: NDArray[np.float64], *, activity: str, rate_hz: float = 50.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{i / rate_hz:.3f},{x:.3f},{y:.3f},{z:.3f},{activity},wrist" for i, (x, y, z) in enumerate(values)]
    path.write_text("t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2,activity,placement\n" + "\n".join(rows) + "\n", "utf-8")


def moving(strength_mps2: float, seconds: int, seed: int = 0) -> NDArray[np.float64]:
    random = np.random.default_rng(seed)
    t_s = np.arange(seconds * 50) / 50
    step = strength_mps2 * np.sin(2 * np.pi * 1.8 * t_s)
    return np.asarray(np.stack([step, 0 * step, 9.81 + step], axis=1) + random.normal(0, 0.03, (len(t_s), 3)))


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Account:
    folder = tmp_path_factory.mktemp("acceleration")
    write(folder / "ada" / "walk.csv", moving(3, 62), activity="walk")
    write(folder / "ada" / "still.csv", moving(0, 60), activity="still")
    write(folder / "ben" / "stood.csv", np.concatenate([moving(3, 40), moving(0, 20)]), activity="walk")
    write(folder / "ben" / "knitting.csv", moving(1, 60), activity="knitting")
    write(folder / "cai" / "heavy.csv", moving(0, 60) * 1.1, activity="still")
    lost = moving(3, 60)
    lost[1000:1040] = 0.0
    write(folder / "cai" / "lost.csv", lost, activity="walk")
    held = moving(3, 60)
    held[500:600] = held[500]
    write(folder / "dee" / "held.csv", held, activity="walk")
    (folder / "dee" / "broken.csv").write_text("t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2\n0,1,2,x\n", "utf-8")
    return inspect(folder)


def step(account: Account, name: str) -> Step:
    return next(s for s in account.steps if s.name == name)


def test_the_steps_stand_in_the_order_in_which_they_are_taken(account: Account) -> None:
    names = [s.name for s in account.steps]
    assert names == ["read", "bridge", "label", "resample", "window", "split", "balance"]


def test_what_is_none_of_the_classes_is_passed_over_with_its_name(account: Account) -> None:
    assert (step(account, "read").before, step(account, "read").after) == (8, 7)
    assert (step(account, "label").before, step(account, "label").after) == (7, 6)
    assert list(step(account, "label").reasons) == [("neutral: knitting, wrist", 1)]


def test_samples_are_counted_through_to_windows(account: Account) -> None:
    resampled, windowed = step(account, "resample"), step(account, "window")
    assert (resampled.before, resampled.after) == (50 * 362, 25 * 362)
    assert list(resampled.reasons) == [("recordings of neutral at 50 Hz", 6)]
    assert windowed.before == resampled.after
    assert dict(windowed.reasons) == {"left at the ends": 50, "windows": 72}
    balance = dict(step(account, "balance").reasons)
    assert (balance["walk"], balance["still"], balance["row"]) == (48, 24, 0)


def test_what_is_broken_or_odd_is_listed(account: Account) -> None:
    odd = {o.where: o.what for o in account.oddities}
    assert len(account.oddities) == 5
    assert "acc_z_mps2 is 'x'" in odd[str(Path("dee", "broken.csv"))]
    assert odd["neutral ben stood wrist"].startswith("33% of its seconds are as quiet as standing")
    assert odd["neutral cai heavy wrist"].startswith("gravity measures 10.79 m/s² at rest")
    assert odd["neutral cai lost wrist"].startswith("the sensor dropped 1.3% of its samples")
    assert odd["neutral dee held wrist"].startswith("stands still for 2.0 s in 1 stretches, the longest from second 10")


def test_no_acceleration_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no acceleration"):
        inspect(tmp_path)
