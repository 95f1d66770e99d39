from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import make_recording, write_neutral
from training.inspect.account import Account, Step
from training.inspect.heart_rate import inspect


@pytest.fixture(scope="module")
def account(data_folder: Path) -> Account:
    return inspect(data_folder)


def step(account: Account, name: str) -> Step:
    return next(s for s in account.steps if s.name == name)


def test_the_steps_stand_in_the_order_in_which_they_are_taken(account: Account) -> None:
    names = [s.name for s in account.steps]
    assert names == ["read", "clean", "resample", "filter", "recoveries", "split", "leave out", "balance"]


def test_what_cannot_be_read_is_listed_and_counted(account: Account) -> None:
    read = step(account, "read")
    assert (read.before, read.after) == (22, 21)
    (broken,) = [o for o in account.oddities if o.unread]
    assert broken.where == str(Path("ben", "broken.csv"))
    assert "heart_rate_bpm is 'fast'" in broken.what


def test_every_second_that_is_no_origin_has_a_reason(account: Account) -> None:
    filtered = step(account, "filter")
    assert filtered.before == 21 * 300
    assert filtered.before - filtered.after == sum(count for _, count in filtered.reasons)
    # 300 s are 120 s to look back over, 60 s to look ahead, and origins in between.
    assert dict(filtered.reasons) == {
        "in the first 120 s of a recording": 21 * 120,
        "a gap, or the end, in the 60 s after": 21 * 60,
    }


def test_whole_recordings_are_split_and_the_published_test_stays_out(account: Account) -> None:
    split = step(account, "split")
    assert dict(split.reasons) == {"train": 16, "validation": 2, "held out": 2, "published-test": 1}
    assert split.after == 20
    assert [row[-1] for row in account.listing.rows].count("published-test") == 1


def test_people_are_left_out_in_turn(account: Account) -> None:
    assert dict(step(account, "leave out").reasons) == {
        "recordings of ada left out": 10,
        "recordings of ben left out": 10,
    }


def test_values_that_nobody_measures_and_samples_that_give_way_are_counted(tmp_path: Path) -> None:
    (tmp_path / "ada").mkdir()
    rows = [f"{t},{120 + t % 3},{speed}" for t, speed in zip(range(400), [3.0] * 399 + [900.0], strict=True)]
    rows[10:12] = ["10,0,3.0", "10.2,121,3.0", "10.4,122,3.0"]
    (tmp_path / "ada" / "one.csv").write_text("t_s,heart_rate_bpm,speed_mps\n" + "\n".join(rows) + "\n", "utf-8")
    account = inspect(tmp_path)
    cleaned, resampled = step(account, "clean"), step(account, "resample")
    assert dict(cleaned.reasons) == {"heart_rate_bpm outside of 25 to 250": 1, "speed_mps outside of 0 to 50": 1}
    assert cleaned.before - cleaned.after == 2
    assert cleaned.after == resampled.before
    assert dict(resampled.reasons)["gave way to a later one in the same second"] == 3
    assert dict(step(account, "split").reasons) == {"too few to split": 1}


def test_an_odd_recording_is_named_and_kept(tmp_path: Path, data_folder: Path) -> None:
    recording = make_recording("cai", "frozen", seconds=900, seed=1)
    bpm = recording.channels["heart_rate_bpm"]
    bpm[300:500] = 140
    bpm[600:660] = np.nan
    write_neutral(recording, tmp_path / "cai" / "frozen.csv")
    write_neutral(recording, tmp_path / "cai" / "twice.csv")
    account = inspect(tmp_path)
    odd = {(o.where, o.what) for o in account.oddities}
    assert ("cai frozen", "heart rate stands at 140 bpm for 199 s from 0:05:01 on") in odd
    assert ("cai frozen", "heart rate for only 93% of its seconds") in odd
    assert ("cai twice", "the same heart rate as cai frozen: one session in two files") in odd
    assert len(account.listing.rows) == 2
    assert data_folder != tmp_path
